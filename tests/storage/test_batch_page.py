"""Pages of batches, parsed strictly: what they say, and that whatever a client wrote is text in them."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from agents.storage.batch_page import PAGE_NAME, BatchFacts, PagePicture, format_cost, page_name, write_page
from agents.storage.record import flat_fields, record_of
from protocol.messages import Prompt
from tests.storage.making import png, store_image

VOID = {"meta", "img"}
ALLOWED = {
    *VOID, "html", "head", "title", "style", "body", "header", "h1", "h2", "h3", "p", "nav", "b", "a", "section", "div",
    "article", "dl", "dt", "dd", "details", "summary", "pre",
}  # fmt: skip
"""Elements that do nothing by themselves."""

HOSTILE = "</title></style></pre><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\x00\u202e"

FACTS = BatchFacts(title="six mugs", batch="gen_batch_1", ordered_at="2026-11-20T23:59:58+00:00", stored=2, quantity=3)


@dataclass
class Node:
    """An element of a parsed page."""

    tag: str
    attributes: dict[str, str | None]
    text: str = ""
    children: list["Node"] = field(default_factory=list["Node"])

    def all(self, tag: str) -> list["Node"]:
        below = [found for child in self.children for found in child.all(tag)]
        return [self, *below] if self.tag == tag else below

    @property
    def words(self) -> str:
        return self.text + " ".join(child.words for child in self.children)


class StrictParser(HTMLParser):
    """A parser that accepts nothing which is closed in another order than it was opened."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.open = [self.root]
        self.doctype = ""

    def handle_decl(self, decl: str) -> None:
        self.doctype = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def parsed(page: bytes) -> Node:
    parser = StrictParser()
    parser.feed(page.decode())
    parser.close()
    assert parser.doctype == "DOCTYPE html"
    assert parser.open == [parser.root]
    return parser.root


def record(**changed: Any) -> dict[str, Any]:
    return msgspec.to_builtins(flat_fields(record_of(store_image(data=png()), "teal"))) | changed


def picture(below_bar: bool = False, path: str | None = "20261120_hero_teal_1000.png", **changed: Any) -> PagePicture:
    return PagePicture(path=path, below_bar=below_bar, record=record(**changed))


def page_of(pictures: Sequence[PagePicture], facts: BatchFacts = FACTS, number: int = 0, pages: int = 1) -> Node:
    return parsed(write_page(facts, pictures, number, pages))


def definitions(card: Node) -> dict[str, str]:
    names, values = card.all("dt"), card.all("dd")
    return {name.text: value.text for name, value in zip(names, values, strict=True)}


def test_a_page_says_of_each_picture_what_made_it_and_what_its_score_rests_on() -> None:
    page = page_of([picture(cost_micros=1234, reasons=["too dark"]), picture(index=1, cost_micros=None)])

    assert [node.text for node in page.all("h1")] == ["six mugs"]
    assert "2 pictures of 3 ordered · 2026-11-20 23:59:58 UTC · gen_batch_1" in page.words
    assert "Cost of the pictures: 0.001234 USD, and 1 not priced" in page.words
    first, second = page.all("article")
    assert first.all("h3")[0].text == "#0 · score 0.87"
    assert first.all("p")[0].text == "a teal mug, studio photograph"
    told = definitions(first)
    assert (told["seed"], told["size"], told["model"], told["cost"]) == ("1000", "16 x 12", "pocket", "0.001234 USD")
    assert (told["sharpness"], told["aesthetic"], told["reasons"]) == ("0.9", "not measured", "too dark")
    assert definitions(second)["cost"] == "not priced"
    assert json.loads(first.all("pre")[0].text) == record(cost_micros=1234, reasons=["too dark"])


def test_pictures_below_the_bar_stand_apart() -> None:
    page = page_of([picture(), picture(below_bar=True, index=1, score=None)])
    accepted, below = page.all("section")
    assert [node.text for node in accepted.all("h3")] == ["#0 · score 0.87"]
    assert below.all("h2")[0].text == "Below the bar: not accepted"
    assert [node.text for node in below.all("h3")] == ["#1 · not scored"]


def test_whatever_a_client_wrote_is_text() -> None:
    said = Prompt(text=HOSTILE, negative=HOSTILE, subject=HOSTILE)
    wild = flat_fields(record_of(store_image(data=png(), prompt=said, metadata={HOSTILE: HOSTILE}), "teal"))
    wild = msgspec.to_builtins(wild) | {"reasons": [HOSTILE], "not_judged": [HOSTILE], "measures": {HOSTILE: 1.0}}
    page = page_of([PagePicture("a.png", False, wild)], replace(FACTS, title=HOSTILE))

    shown = HOSTILE.replace("\x00", "")
    assert page.all("h1")[0].text == page.all("title")[0].text == shown
    assert page.all("article")[0].all("p")[0].text == page.all("img")[0].attributes["alt"] == shown
    assert definitions(page.all("article")[0])["not judged"] == shown
    assert len(page.all("img")) == 1
    every = [name for node in ALLOWED for found in page.all(node) for name in found.attributes]
    assert not [name for name in every if name.startswith("on")]


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("_Rejected/Maybe Later/20261120_1.png", "_Rejected/Maybe%20Later/20261120_1.png"),
        ("猫_1.png", "%E7%8C%AB_1.png"),
        ("javascript:x.png", "javascript%3Ax.png"),
        ('a"b#c?d.png', "a%22b%23c%3Fd.png"),
    ],
)
def test_links_are_relative_to_the_folder_of_the_batch(path: str, link: str) -> None:
    [image] = page_of([picture(path=path)]).all("img")
    [anchor] = page_of([picture(path=path)]).all("a")
    assert image.attributes["src"] == anchor.attributes["href"] == link


def test_a_picture_without_a_file_is_named_all_the_same() -> None:
    page = page_of([picture(path=None)])
    assert page.all("img") == []
    assert "no file" in page.words


def test_a_page_may_load_nothing_but_the_pictures_beside_it() -> None:
    page = page_of([picture()])
    [policy] = [
        node.attributes["content"] or ""
        for node in page.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(page.all("style")[0].text.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'", "img-src 'self' file:", f"style-src 'sha256-{digest}'", "base-uri 'none'",
        "form-action 'none'",
    ]  # fmt: skip
    assert not re.search("url|@import", page.all("style")[0].text)


def test_a_page_is_readable_on_a_phone_and_in_the_dark() -> None:
    page = page_of([picture()])
    [viewport] = [node for node in page.all("meta") if node.attributes.get("name") == "viewport"]
    assert viewport.attributes["content"] == "width=device-width, initial-scale=1"
    assert "prefers-color-scheme:dark" in page.all("style")[0].text


def test_a_large_batch_has_pages_that_lead_to_each_other() -> None:
    second = page_of([picture(index=500)], replace(FACTS, stored=1001), number=1, pages=3)
    assert [node.attributes["href"] for node in second.all("nav")[0].all("a")] == [PAGE_NAME, page_name(2)]
    assert second.all("nav")[0].all("b")[0].text == "page 2"
    assert "Cost of the pictures on this page" in second.words
    assert (page_name(0), page_name(2)) == ("index.html", "index-3.html")


@pytest.mark.parametrize(
    ("micros", "reused", "told"),
    [
        (None, None, "not priced"),
        (0, None, "0.0000 USD"),
        (1_250_000, None, "1.2500 USD"),
        (12, None, "0.000012 USD"),
        (100_000_000, None, "100.0000 USD"),
        (5, "gen_batch_0_000000", "none: it was stored already"),
    ],
)
def test_a_cost_is_told_in_dollars(micros: int | None, reused: str | None, told: str) -> None:
    assert format_cost(micros, reused) == told


def test_a_batch_of_reused_pictures_cost_nothing() -> None:
    page = page_of([picture(reused="gen_batch_0_000000")], replace(FACTS, stored=1, quantity=1, ordered_at=""))
    assert "Cost of the pictures: none, they were stored already" in page.words
    assert "1 picture · gen_batch_1" in page.words


def test_where_nothing_was_measured_the_page_says_so() -> None:
    page = page_of([picture(measures={}, score=None)])
    assert definitions(page.all("article")[0])["measures"] == "none"
    assert "Cost of the pictures: not priced" in page.words
