"""The manifest as Markdown: how much of each section holds, then every row with its tests as sentences."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.requirements.requirement import Requirement, State

FILE = Path(__file__).parent.parent / "REQUIREMENTS.md"
"""What `render` gives, for reading."""

STATES: tuple[State, ...] = ("whole", "in part", "not yet")

HEAD = """# What holds

Each row is something that the workshop does for whoever uses it, through what they can reach, and below it stand the
tests that show it; one that holds in part or not yet says what is missing. Made by `python -m tests.requirements
--write` from [`tests/requirements`](requirements), which `tests/test_requirements.py` holds against tests and protocol.
"""

WIDTH = 120


def render(requirements: Sequence[Requirement], sections: Mapping[str, str]) -> str:
    """The whole document; `sections` are the titles by the first letters of ids."""
    parts = [HEAD, *_summary(requirements, sections)]
    for letter, title in sections.items():
        parts.append(f"\n## {letter}. {title}\n")
        parts.extend(_row(row) for row in requirements if row.section == letter)
    return "\n".join(parts)


def sentence(test: str) -> str:
    """The sentence that a test's name is, with its file."""
    file, function = test.split("::")
    return f"{function.removeprefix('test_').replace('_', ' ')} (`{file}`)"


def _summary(requirements: Sequence[Requirement], sections: Mapping[str, str]) -> Iterator[str]:
    yield "| section | rows | " + " | ".join(STATES) + " |"
    yield "| --- " + "| ---: " * (1 + len(STATES)) + "|"
    for letter, title in sections.items():
        rows = [row for row in requirements if row.section == letter]
        yield f"| {letter}. {title} | {_counts(rows)} |"
    yield f"| all | {_counts(requirements)} |"


def _counts(rows: Sequence[Requirement]) -> str:
    states = Counter(row.state for row in rows)
    return " | ".join(str(count) for count in (len(rows), *(states[state] for state in STATES)))


def _row(row: Requirement) -> str:
    lines = [_wrapped(f"**{row.id}**, {row.state}: {row.text}")]
    if row.missing:
        lines.append(_wrapped(f"*Missing:* {row.missing}"))
    if row.not_built:
        names = ", ".join(f"`{name}`" for name in row.not_built)
        lines.append(_wrapped(f"*Refused with `not_supported`:* {names}."))
    if row.tests:
        lines.append("\n".join(_wrapped(sentence(test), "- ", "  ") for test in row.tests))
    return "\n\n".join(lines) + "\n"


def _wrapped(text: str, first: str = "", others: str = "") -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
