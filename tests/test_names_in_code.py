"""How the code calls things: the field's terms, a function by a verb or by what it returns; read from the source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_architecture import SOURCES, tree, where

METAPHORS = re.compile(
    "books|clerk|desk|drawer|follower|followers|given|heard|hearing|keeper|keepers|keeping|making|mover|"
    "movers|office|shelf|shelves|shop|strand|strands|tether|till|told"
)
"""Words that name a thing by a picture of it instead of the field's term; no part of a name in the code."""

BARE_WORDS = re.compile(
    "begun|bought|broken|brought|built|caught|chosen|done|drawn|driven|fallen|felt|forgotten|found|frozen|"
    "given|gone|got|grown|had|heard|held|hidden|kept|known|laid|led|left|lent|lost|made|meant|met|"
    "paid|said|seen|sent|shown|sold|spent|spoilt|stood|struck|stuck|swept|taken|taught|thought|thrown|"
    "told|understood|withheld|won|worn|written|"
    "all|another|any|anything|each|everything|he|it|its|mine|none|nothing|one|ones|other|others|own|same|"
    "some|something|such|that|them|these|they|this|those|what|which|who|whose"
)
"""Irregular participles that are no verb as well, and pronouns: nothing to call a function by on its own."""

NOT_PARTICIPLES = {"embed", "feed", "need", "seed", "speed"}


def definitions(file: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every class, function, method and property that a file defines, as `Class.method`, but not those inside a
    function."""

    def within(body: list[ast.stmt], outer: str) -> Iterator[tuple[str, ast.stmt]]:
        for node in body:
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    yield f"{outer}{name}", node
                case ast.ClassDef(name=name):
                    yield f"{outer}{name}", node
                    yield from within(node.body, f"{outer}{name}.")
                case ast.If() | ast.Try():
                    yield from within([*node.body, *node.orelse], outer)
                case _:
                    pass

    return within(tree(file).body, "")


def words_of(name: str) -> set[str]:
    """The words of a name in snake or camel case, in small letters."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name)}


def metaphors(file: Path) -> Iterator[str]:
    for name in (file.stem, *(name.rsplit(".", 1)[-1] for name, _ in definitions(file))):
        if any(METAPHORS.fullmatch(word) for word in words_of(name)):
            yield name


def bare_participles(file: Path) -> Iterator[str]:
    """The public functions, methods and properties whose whole name is one past participle or pronoun."""
    for name, node in definitions(file):
        word = name.rsplit(".", 1)[-1]
        regular = word.endswith("ed") and word not in NOT_PARTICIPLES
        if not isinstance(node, ast.ClassDef) and "_" not in word and (regular or BARE_WORDS.fullmatch(word)):
            yield name


def test_the_rules_of_names_notice_what_they_forbid(tmp_path: Path) -> None:
    file = tmp_path / "told.py"
    file.write_text(
        "class OrderDesk:\n"
        "    def asked(self): ...\n"
        "    @property\n"
        "    def made(self): ...\n"
        "    def _kept(self): ...\n"
        "    def refined_job(self): ...\n"
        "def seed(): ...\n"
        "def those(): ...\n"
    )

    assert list(metaphors(file)) == ["told", "OrderDesk"]
    assert list(bare_participles(file)) == ["OrderDesk.asked", "OrderDesk.made", "those"]


def test_names_are_the_terms_of_the_field() -> None:
    assert {f"{where(file)}:{name}" for file in SOURCES for name in metaphors(file)} == set()


def test_a_function_is_called_by_a_verb_or_by_what_it_returns() -> None:
    assert {f"{where(file)}:{name}" for file in SOURCES for name in bare_participles(file)} == set()
