"""Identifiers: one regular expression for every id that may become part of a subject, a path or a key.

Pure module: no I/O, no clock. Random ids are drawn here because their form belongs here.
"""

import re
import secrets
from typing import Annotated

from msgspec import Meta

ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}(?!\n)$"
"""Letters, digits, underscore, hyphen; 1 to 64 characters. No dot, so an id is always one subject token.

The look-ahead is for Python alone, whose `$` also matches before a last line feed."""

RESERVED = frozenset({"all", "any", "none", "null", "admin", "system", "_INBOX", "con", "prn", "aux", "nul"})
"""Words that mean something to a broker, a file system or this protocol and so name nobody (any case)."""

MAX_SEED = 2**53 - 1
"""Largest seed: every JSON reader, JavaScript's included, keeps it exact."""

Id = Annotated[str, Meta(pattern=ID_PATTERN, description="letters, digits, _ and -, 1 to 64 characters")]
Seed = Annotated[int, Meta(ge=0, le=MAX_SEED, description="seed of the initial noise, below 2^53")]
WantedSeed = Annotated[int, Meta(ge=-1, le=MAX_SEED, description="a seed below 2^53; -1 draws one at random")]
Label = Annotated[
    str,
    Meta(
        pattern=r"^[^\u0000-\u001f\u007f]{1,128}(?!\n)$",
        description="a name that is looked up: 1 to 128 characters, no control characters",
    ),
]

_ID = re.compile(ID_PATTERN)
_RESERVED = frozenset(word.lower() for word in RESERVED)


def is_id(text: str) -> bool:
    """Whether `text` may name a client, a batch or an image."""
    return _ID.fullmatch(text) is not None and text.lower() not in _RESERVED


def new_batch_hash() -> str:
    """A fresh batch name in the `gen_batch_42` form, with 80 random bits instead of a counter."""
    return f"gen_batch_{secrets.token_hex(10)}"


def image_id(batch: str, index: int) -> str:
    """The id of picture `index` (from 0) of a batch."""
    return f"{batch}_{index:06d}"


def index_of(batch: str, name: str) -> int | None:
    """The index of a picture of a batch by its id; null where the id is not one of that batch."""
    digits = name.removeprefix(f"{batch}_")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 9 or image_id(batch, int(digits)) != name:
        return None
    return int(digits)
