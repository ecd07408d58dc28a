"""The page of a batch: its pictures and all that is known of them, in HTML that needs no script and no server. Pure
module.

The page is built as a tree, so that whatever a client wrote into a prompt is text in it.
"""

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote
from xml.etree.ElementTree import Element

import msgspec

from protocol.money import MICROS_PER_DOLLAR, dollars

PAGE_NAME = "index.html"

PICTURES_PER_PAGE = 500
"""Pictures on one page; further ones are on pages of their own."""

"""Micro-dollars in a dollar."""

STYLE = """
:root{color-scheme:light dark;--back:#faf9f6;--card:#fff;--text:#28282c;--muted:#6b6963;--line:#dedbd3;--bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#161618;--card:#202023;--text:#ececea;--muted:#a3a19b;--line:#3a3a3f;
--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:100rem;background:var(--back);color:var(--text);
font:1rem/1.45 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .75rem}
h3{font-size:1rem;margin:.6rem 0 .25rem}p{margin:.25rem 0}
.facts,dt,.rest{color:var(--muted)}.below h3{color:var(--bad)}
.pictures{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));align-items:start}
article{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.75rem}
img{display:block;width:100%;height:auto;border-radius:.25rem}
.none{padding:4rem 1rem;text-align:center;border:1px dashed var(--line);color:var(--muted)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem .75rem;margin:.5rem 0;font-size:.9rem}
dd{margin:0}summary{cursor:pointer;font-size:.9rem;padding:.3rem 0}
pre{white-space:pre-wrap;font-size:.78rem;max-height:24rem;overflow:auto;margin:.25rem 0}
a{color:inherit}nav{margin:1rem 0}nav a{margin-right:1rem}
"""

_VOID_TAGS = frozenset({"meta", "img"})
"""Elements without content, which HTML does not close."""

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""What HTML cannot hold."""


@dataclass(frozen=True)
class PagePicture:
    """A picture of a page. `path` is that of its file from the batch's folder, null where it has none; `record` what
    its sidecar says."""

    path: str | None
    below_bar: bool
    record: Mapping[str, Any]


@dataclass(frozen=True)
class BatchFacts:
    """What stands above the pictures. `title` is the brief, or the batch where it has none; `stored` are all pictures
    of the catalogue, `quantity` those that were ordered, null where that is not known."""

    title: str
    batch: str
    ordered_at: str
    stored: int
    quantity: int | None = None


def page_name(number: int) -> str:
    """The file of a page; the first is 0."""
    return PAGE_NAME if number == 0 else f"index-{number + 1}.html"


def write_page(facts: BatchFacts, pictures: Sequence[PagePicture], number: int = 0, pages: int = 1) -> bytes:
    """Page `number` of `pages`, in UTF-8: accepted pictures first, then those below the bar."""
    accepted = [one for one in pictures if not one.below_bar]
    below = [one for one in pictures if one.below_bar]
    body = _element("body", _header(facts), _cost_line(pictures, pages))
    if pages > 1:
        body.append(_navigation(number, pages))
    if accepted:
        body.append(_section("Pictures", "pictures", accepted))
    if below:
        body.append(_section("Below the bar: not accepted", "pictures below", below))
    page = _element("html", _head(facts), body, lang="en")
    return ("<!DOCTYPE html>\n" + "".join(_html(page)) + "\n").encode()


def page_facts(facts: BatchFacts) -> list[str]:
    """Numbers, date and hash of a batch in words, for its page and its contact sheet."""
    ordered = facts.quantity if facts.quantity is not None and facts.quantity != facts.stored else None
    count = "1 picture" if facts.stored == 1 else f"{facts.stored} pictures"
    date = facts.ordered_at.replace("T", " ").replace("+00:00", " UTC")
    return [count if ordered is None else f"{count} of {ordered} ordered", *([date] if date else []), facts.batch]


def format_cost(micros: int | None, reused: str | None) -> str:
    """What a picture cost, in words."""
    if reused is not None:
        return "none: it was stored already"
    return "not priced" if micros is None else _dollars(micros)


def _head(facts: BatchFacts) -> Element:
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src 'self' file:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return _element(
        "head",
        _element("meta", charset="utf-8"),
        _element("meta", **{"http-equiv": "Content-Security-Policy", "content": policy}),
        _element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _element("meta", name="referrer", content="no-referrer"),
        _element("title", facts.title),
        _element("style", STYLE),
    )


def _header(facts: BatchFacts) -> Element:
    words = _element("p", " · ".join(page_facts(facts)), **{"class": "facts"})
    return _element("header", _element("h1", facts.title, dir="auto"), words)


def _cost_line(pictures: Sequence[PagePicture], pages: int) -> Element:
    made = [one.record.get("cost_micros") for one in pictures if one.record.get("reused") is None]
    priced = [cost for cost in made if cost is not None]
    where = "" if pages == 1 else " on this page"
    if not made:
        told = f"Cost of the pictures{where}: none, they were stored already"
    elif not priced:
        told = f"Cost of the pictures{where}: not priced"
    else:
        told = f"Cost of the pictures{where}: {_dollars(sum(priced))}"
        told += "" if len(priced) == len(made) else f", and {len(made) - len(priced)} not priced"
    return _element("p", told, **{"class": "facts"})


def _navigation(number: int, pages: int) -> Element:
    links = [
        _element("b", f"page {one + 1}") if one == number else _element("a", f"page {one + 1}", href=page_name(one))
        for one in range(pages)
    ]
    return _element("nav", *links)


def _section(title: str, kind: str, pictures: Sequence[PagePicture]) -> Element:
    cards = _element("div", *(_card(one) for one in pictures), **{"class": kind})
    return _element("section", _element("h2", title), cards)


def _card(picture: PagePicture) -> Element:
    record = picture.record
    score = record.get("score")
    title = f"#{record.get('index')} · " + ("not scored" if score is None else f"score {score:.2f}")
    told: dict[str, str] = {
        **{name: _text(value) for name, value in record.get("swept", {}).items() if name != "prompt"},
        "seed": _text(record.get("seed")),
        "size": f"{record.get('width')} x {record.get('height')}",
        "model": _text(record.get("model")),
        "cost": format_cost(record.get("cost_micros"), record.get("reused")),
        "attempt": _text(record.get("attempt")),
    }
    whole = msgspec.json.format(msgspec.json.encode(record), indent=2).decode()
    return _element(
        "article",
        _image(picture),
        _element("h3", title),
        _element("p", _text(record.get("prompt")), dir="auto"),
        _definitions(told),
        _element("p", "The score rests on:", **{"class": "rest"}),
        _definitions(_grounds(record)),
        _element("details", _element("summary", "The whole record"), _element("pre", whole)),
    )


def _image(picture: PagePicture) -> Element:
    if picture.path is None:
        return _element("div", "no file", **{"class": "none"})
    record = picture.record
    link = quote(picture.path)
    image = _element(
        "img",
        src=link,
        alt=_text(record.get("prompt")),
        loading="lazy",
        width=_text(record.get("width")),
        height=_text(record.get("height")),
    )
    return _element("a", image, href=link)


def _grounds(record: Mapping[str, Any]) -> dict[str, str]:
    """What a score rests on: each measure, what was not judged, and the reasons."""
    measures: Mapping[str, Any] = record.get("measures") or {}
    told = {
        name.replace("_", " "): "not measured" if value is None else f"{value:.3g}" for name, value in measures.items()
    }
    for name in ("not_judged", "reasons"):
        if record.get(name):
            told[name.replace("_", " ")] = _text(record[name])
    return told or {"measures": "none"}


def _definitions(told: Mapping[str, str]) -> Element:
    pairs = [part for name, value in told.items() for part in (_element("dt", name), _element("dd", value))]
    return _element("dl", *pairs)


def _dollars(micros: int) -> str:
    return f"{dollars(micros):.6f}".rstrip("0").ljust(len(str(micros // MICROS_PER_DOLLAR)) + 5, "0") + " USD"


def _text(value: object) -> str:
    """A value of a record in words."""
    if isinstance(value, list):
        return "; ".join(_text(one) for one in cast("list[object]", value))
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _html(element: Element) -> Iterator[str]:
    """An element in HTML's syntax, every text and attribute escaped but the page's own style."""
    attributes = "".join(f' {name}="{html.escape(value)}"' for name, value in element.items())
    yield f"<{element.tag}{attributes}>"
    if element.tag in _VOID_TAGS:
        return
    text = element.text or ""
    yield text if element.tag == "style" else html.escape(text)
    for part in element:
        yield from _html(part)
    yield f"</{element.tag}>"


def _element(tag: str, *content: Element | str, **attributes: str) -> Element:
    element = Element(tag, {name: _CONTROLS.sub("", value) for name, value in attributes.items()})
    for part in content:
        if isinstance(part, Element):
            element.append(part)
        else:
            element.text = _CONTROLS.sub("", part)
    return element
