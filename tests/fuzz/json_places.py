"""JSON with the place of every value in its bytes, so that a value is replaced without writing the rest again. Pure
module."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from tests.fuzz.hostile_values import json_bytes


class Place(NamedTuple):
    """Where a value stands: its own bytes, those to leave out when it is dropped, and the bytes of its name, empty in
    a list."""

    start: int
    end: int
    drop_start: int
    drop_end: int
    name_start: int
    name_end: int


class Sample(NamedTuple):
    """The bytes of a valid message, and the places of the values in it."""

    data: bytes
    places: tuple[Place, ...]


Edit = tuple[int, int, bytes]
"""From, to, and what stands there instead."""


def sample_of(message: Mapping[str, Any], fixed: Iterable[str] = ()) -> Sample:
    """A message with its places; the top-level fields that are `fixed` have none."""
    writer = _Writer()
    writer.write_object(dict(message), frozenset(fixed))
    return Sample(b"".join(writer.parts), tuple(writer.places) or (Place(0, 2, 0, 2, 0, 0),))


def with_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The bytes after all edits that do not overlap; of two that do, the later in the text is made."""
    parts: list[bytes] = []
    at = len(data)
    for start, end, instead in sorted(edits, reverse=True):
        if end <= at:
            parts += (data[end:at], instead)
            at = start
    parts.append(data[:at])
    return b"".join(reversed(parts))


class _Writer:
    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.places: list[Place] = []
        self._at = 0

    def _write(self, data: bytes) -> None:
        self.parts.append(data)
        self._at += len(data)

    def _write_value(self, value: Any) -> None:
        if isinstance(value, dict):
            self.write_object(cast("dict[str, Any]", value))
        elif isinstance(value, list):
            self._write_items([(None, item) for item in cast("list[Any]", value)], (b"[", b"]"), frozenset())
        else:
            self._write(json_bytes(value))

    def write_object(self, value: dict[str, Any], fixed: frozenset[str] = frozenset()) -> None:
        self._write_items(list(value.items()), (b"{", b"}"), fixed)

    def _write_items(
        self, items: list[tuple[str | None, Any]], brackets: tuple[bytes, bytes], fixed: frozenset[str]
    ) -> None:
        self._write(brackets[0])
        for position, (name, item) in enumerate(items):
            outer = self._at
            if position:
                self._write(b",")
            named = self._at
            if name is not None:
                self._write(json_bytes(name))
            name_end = self._at
            if name is not None:
                self._write(b":")
            start, own = self._at, len(self.places)
            self._write_value(item)
            if name in fixed:
                del self.places[own:]
                continue
            # The first one takes the comma behind it along, the others the one before.
            drop_end = self._at + (position == 0 and len(items) > 1)
            self.places.append(Place(start, self._at, outer, drop_end, named, name_end))
        self._write(brackets[1])
