"""Numbers of things: as messages carry them, and in words, as every room says them. Pure module."""

from typing import Annotated

from msgspec import Meta

Int32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""A number that a database keeps in 4 bytes."""

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""One that it keeps in 8: bytes, money."""


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
