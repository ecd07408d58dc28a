"""Whether the batches of a restored ledger that have not ended can go on: a planner that finds one without its prompts,
or without the batch that it is made from, could hand out nothing to anybody."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from agents.planner.ledger.states import ACTIVE_BATCH_STATES

_BATCHES = f"""
    SELECT hash, written, parent, parent IS NULL OR parent IN (SELECT hash FROM batches)
    FROM batches WHERE state IN ({", ".join(f"'{state}'" for state in ACTIVE_BATCH_STATES)})
"""  # noqa: S608 - our own words
_PAGES = "SELECT first, prompts FROM prompt_pages WHERE hash = ? ORDER BY first"

_page = msgspec.json.Decoder(list[msgspec.Raw])


def fault_of_batches(ledger: Path) -> str | None:
    """What a batch of a ledger of this version's revision lacks; null where none lacks anything."""
    with closing(sqlite3.connect(ledger)) as connection:
        for name, written, parent, has_parent in connection.execute(_BATCHES).fetchall():
            if not has_parent:
                return f"the batch {name} is made from {parent}, which is not there"
            sizes = [(first, len(_page.decode(data))) for first, data in connection.execute(_PAGES, (name,))]
            if covered_count(sizes) < written:
                return f"the batch {name} has {written} written prompts and not all of them are there"
    return None


def covered_count(pages: Sequence[tuple[int, int]]) -> int:
    """How many prompts from the first on are in pages of (first, count) that follow one another. Pure."""
    end = 0
    for first, count in pages:
        if first > end or count == 0:
            break
        end = max(end, first + count)
    return end
