"""How much of a page fits into one reply. Pure module."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from protocol import codec

MAX_PAGE_BYTES = codec.MAX_MESSAGE_BYTES // 2
"""JSON of the entries of a page; the other half is left to what stands beside them, such as the caller's metadata."""

Entry = TypeVar("Entry", bound=msgspec.Struct)


def fit_page(entries: Sequence[Entry], limit: int = MAX_PAGE_BYTES) -> list[Entry]:
    """The first entries whose JSON together stays within `limit` bytes; at least one where there is one."""
    fits: list[Entry] = []
    taken = 0
    for entry in entries:
        taken += len(codec.encode(entry)) + 1
        if fits and taken > limit:
            break
        fits.append(entry)
    return fits
