"""`python -m agents.pocket.card FILE ...`: put measured tables into the model card.

Each file is what `agents.pocket.evaluate --json` writes. A part of the card between `<!-- NAME -->` and
`<!-- end NAME -->` is written anew for each name that a file has; all else stays.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from agents.pocket.bar import Figures, table
from agents.pocket.paths import HERE

CARD = HERE / "README.md"
Tables = Mapping[str, Mapping[str, Figures]]


def figures(tables: Tables) -> str:
    """Tables as Markdown, each under its title."""
    return "\n\n".join(f"{title}:\n\n{table('', rows)}" for title, rows in tables.items())


def hashes(digests: Mapping[str, str]) -> str:
    """The first 16 digits of each file's SHA-256 as a Markdown table."""
    lines = [f"| {name} | `{digest[:16]}` |" for name, digest in digests.items()]
    return "\n".join(["| file | SHA-256 begins |", "|---|---|", *lines])


def fill_part(card: str, name: str, body: str) -> str:
    """The card with the part of this name written anew.

    Raises:
        ValueError: the card has no such part.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    if begin not in card or end not in card:
        message = f"the model card has no part between {begin.strip()} and {end}; add both lines where it belongs"
        raise ValueError(message)
    before, rest = card.split(begin, 1)
    return f"{before}{begin}{body}\n{end}{rest.split(end, 1)[1]}"


def main() -> None:
    """Fill the card."""
    parser = argparse.ArgumentParser(prog="python -m agents.pocket.card", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    card = CARD.read_text()
    for path in parser.parse_args().files:
        notes = json.loads(path.read_text())
        card = fill_part(card, notes["part"], figures(notes["tables"]))
        card = fill_part(card, "hashes", hashes(notes["sha256"]))
    CARD.write_text(card)
    print(f"card: {CARD.name} written")


if __name__ == "__main__":
    main()
