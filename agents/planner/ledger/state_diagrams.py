"""Draws the states of the ledger where they are explained: `python -m agents.planner.ledger.state_diagrams
--write|--check`.

A diagram stands between the line `<!-- generated: NAME -->` and the line `<!-- end -->`. It is drawn from the tables of
`ledger/states.py`.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from agents.planner.ledger import states

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "deploy" / "docs" / "architecture.md", ROOT / "agents" / "planner" / "README.md")

_MARKED = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)

Name = tuple[str, ...]
"""A state in words: its own, and the stage of a picture."""

N = TypeVar("N", bound=Name)
S = TypeVar("S", bound=str)


def diagrams() -> dict[str, str]:
    """Name -> each diagram in Mermaid."""
    return {
        "job states": state_diagram(states.LEGAL),
        "batch states": state_diagram(_named(states.LEGAL_BATCH)),
        "attempt states": state_diagram(_named(states.LEGAL_ATTEMPT)),
        "client states": state_diagram(_named(states.LEGAL_CLIENT)),
        "reservation states": state_diagram(_named(states.LEGAL_RESERVATION)),
        "intent states": state_diagram(_named(states.LEGAL_INTENT)),
    }


def state_diagram(legal: Mapping[N | None, Iterable[N]]) -> str:
    """A table of legal steps as a Mermaid diagram. The order of the table is the order of its lines."""
    places = [place for place in legal if place is not None]
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{" / ".join(place)}" as {_key(place)}' for place in places if len(place) > 1]
    lines += [
        f"    {_key(before)} --> {_key(after)}"
        for before, following in legal.items()
        for after in sorted(following, key=places.index)
    ]
    return "\n".join(lines) + "\n"


def with_diagrams(page: str) -> str:
    """A page with every diagram as it is now.

    Raises:
        KeyError: a mark names no diagram.
    """
    drawn = diagrams()
    return _MARKED.sub(lambda mark: f"{mark[1]}\n```mermaid\n{drawn[mark[2]]}```\n\n{mark[3]}", page)


def _named(legal: Mapping[S | None, Iterable[S]]) -> dict[Name | None, list[Name]]:
    return {(before,) if before else None: [(after,) for after in following] for before, following in legal.items()}


def _key(place: Name | None) -> str:
    return "_".join(place) if place else "[*]"


def main() -> None:
    """Exit code 1 where `--check` finds a page that is not current."""
    parser = argparse.ArgumentParser(prog="python -m agents.planner.ledger.state_diagrams", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the diagrams")
    mode.add_argument("--check", action="store_true", help="exit 1 where a diagram is not current")
    options = parser.parse_args()
    texts = {page: with_diagrams(page.read_text(encoding="utf-8")) for page in PAGES}
    stale = [page for page, text in texts.items() if page.read_text(encoding="utf-8") != text]
    if options.write:
        for page in stale:
            page.write_text(texts[page], encoding="utf-8")
    elif stale:
        names = ", ".join(str(page.relative_to(ROOT)) for page in stale)
        sys.exit(f"not current: {names}; run python -m agents.planner.ledger.state_diagrams --write")


if __name__ == "__main__":
    main()
