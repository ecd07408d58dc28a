"""The manifest of requirements, held against what it speaks of: its tests are there, each file of tests that drives a
whole workshop is named, and what it calls refused is what the protocol refuses, no more and no less."""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

from protocol.commands import not_built_names
from tests.requirements import REQUIREMENTS, SECTIONS
from tests.requirements.requirement import Requirement, State
from tests.requirements.table import FILE, STATES, WIDTH, render, sentence

TESTS = Path(__file__).parent
FILES = {f"tests.{'.'.join(file.relative_to(TESTS).with_suffix('').parts)}": file for file in TESTS.rglob("*.py")}
"""Module -> file."""

MOST_TESTS = 6
"""Of one row: the most telling, so that a person reads them."""

WORKSHOP = "workshop"
"""Name of the modules that start a whole workshop in this process or others."""

HOME = "Home"
"""Type of the fixtures that run the command line in a home of its own."""


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def places() -> dict[str, list[Path]]:
    """A test, as `test_file::test_function` -> the files that have it."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    for file in FILES.values():
        for node in ast.walk(tree(file)) if file.name.startswith("test_") else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[f"{file.stem}::{node.name}"].append(file)
    return dict(found)


def alike(test: str) -> list[str]:
    """Tests of the same function name: where one that is not found may be now."""
    return [found for found in places() if found.endswith(f"::{test.partition('::')[2]}")]


def imported(source: ast.Module) -> Iterator[str]:
    """Modules of the tests that a module imports, as `from a import b` names them: both `a` and `a.b`."""
    for node in ast.walk(source):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "tests":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def starts_a_workshop(source: ast.Module) -> bool:
    """Whether a module itself imports what starts a workshop, or takes a home for the command line."""
    if any(module.split(".")[-1] == WORKSHOP for module in imported(source)):
        return True
    return any(
        isinstance(node, ast.arg) and isinstance(node.annotation, ast.Name) and node.annotation.id == HOME
        for node in ast.walk(source)
    )


def drives_a_workshop(module: str, passed: frozenset[str] = frozenset()) -> bool:
    """Whether a module of the tests starts a workshop, or has something of another test file that does."""
    source = tree(FILES[module])
    others = {
        name
        for name in imported(source)
        if name in FILES and name not in passed and name.split(".")[-1].startswith("test_")
    }
    return starts_a_workshop(source) or any(drives_a_workshop(name, passed | {module}) for name in others)


def row_id(requirement: Requirement) -> str:
    return requirement.id


def test_ids_are_the_letter_of_their_section_and_count_up_from_one() -> None:
    numbers = Counter(row.section for row in REQUIREMENTS)
    assert [row.id for row in REQUIREMENTS] == [
        f"{letter}{number}" for letter in SECTIONS for number in range(1, numbers[letter] + 1)
    ]


@pytest.mark.parametrize("row", REQUIREMENTS, ids=row_id)
def test_a_row_is_a_sentence_and_says_what_shows_it_or_what_is_missing(row: Requirement) -> None:
    assert row.text.endswith(".")
    assert row.tests or row.missing
    assert not row.missing or row.missing.endswith(".")
    assert row.missing or not row.not_built, "what is refused is missing"
    assert len(set(row.tests)) == len(row.tests) <= MOST_TESTS


@pytest.mark.parametrize("row", REQUIREMENTS, ids=row_id)
def test_every_test_that_a_row_names_is_there_once(row: Requirement) -> None:
    wrong = {test: alike(test) for test in row.tests if len(places().get(test, [])) != 1}
    assert wrong == {}, "test -> those of the same name"


def test_every_file_of_tests_that_drives_a_workshop_is_named_by_a_row() -> None:
    named = {file for row in REQUIREMENTS for test in row.tests for file in places().get(test, [])}
    driving = {file for module, file in FILES.items() if file.name.startswith("test_") and drives_a_workshop(module)}
    assert driving, "nothing drives a workshop: the way they are recognised is out of date"
    assert driving - named == set()


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("from tests.workshop import served", True),
        ("from tests.chaos import workshop", True),
        ("def test_it(home: Home) -> None: ...", True),
        ("from tests.planner.workbench import World", False),
        ("from agents.planner.workshop import Workshop", False),
    ],
)
def test_what_starts_a_workshop_is_recognised(text: str, starts: bool) -> None:
    assert starts_a_workshop(ast.parse(text)) is starts


def test_what_the_protocol_refuses_as_not_built_is_what_the_rows_say() -> None:
    assert {name for row in REQUIREMENTS for name in row.not_built} == set(not_built_names())


def test_the_document_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == render(REQUIREMENTS, SECTIONS), "python -m tests.requirements --write"


def test_the_document_has_every_row_with_its_tests_and_wraps() -> None:
    text = render(REQUIREMENTS, SECTIONS)
    assert re.findall(r"^\*\*([A-Z]\d+)\*\*", text, re.MULTILINE) == [row.id for row in REQUIREMENTS]
    flowing = " ".join(text.split())
    assert all(sentence(test) in flowing for row in REQUIREMENTS for test in row.tests)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert get_args(State) == STATES
