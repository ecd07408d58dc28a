"""Hostile payloads from valid messages: what is done to one follows from the dice alone. Pure module."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from protocol import codec
from tests.fuzz.hostile_values import (
    HOSTILE_TEXT,
    LONG_TEXTS,
    NUMBERS,
    RAW_VALUES,
    TEXTS,
    WRONG_TYPES,
    json_bytes,
)
from tests.fuzz.json_places import Edit, Place, Sample, with_edits
from tests.protocol.bombs import bombs

Headers = dict[str, str]
Mutation = Callable[[Sample, random.Random], tuple[bytes, Headers]]

BOMBS = tuple(bombs().values())
HEADER_ROOM = 4096
"""The broker counts headers in, and hangs up on whoever sends more than its bound."""
ZSTD = {codec.ENCODING_HEADER: "zstd"}
DEPTHS = (60, 64, 65, 500, 5_000)
TIMES = ("0", "-1", "1e999", "nan", "x", "1_0", "9" * 400, "99999999999")


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as they come from the bus, their headers, and the name of what was done to them."""

    data: bytes
    headers: Headers
    kind: str


def mutated(sample: Sample, dice: random.Random) -> Payload:
    """A hostile payload made of a valid one."""
    kind = dice.choices(_NAMES, cum_weights=_WEIGHTS)[0]
    data, headers = _KINDS[kind][1](sample, dice)
    return Payload(data[: codec.MAX_MESSAGE_BYTES - HEADER_ROOM], headers, kind)


def edit(sample: Sample, place: Place, dice: random.Random) -> Edit:
    """One change at one place: dropped, renamed, moved from elsewhere, repeated, or of another type."""
    value = sample.data[place.start : place.end]
    match dice.randrange(7):
        case 0:
            return place.drop_start, place.drop_end, b""
        case 1 if place.name_end > place.name_start:
            name = sample.data[place.name_start + 1 : place.name_end - 1]
            changed = dice.choice((name[:-1], name + b"s", name.upper(), b"x"))
            return place.name_start, place.name_end, b'"' + changed + b'"'
        case 2 if place.name_end > place.name_start:
            return place.name_start, place.name_start, json_bytes(dice.choice(HOSTILE_TEXT[:40])) + b":1,"
        case 3:
            other = dice.choice(sample.places)
            return place.start, place.end, sample.data[other.start : other.end]
        case 4:
            return place.start, place.end, b"[" + b",".join([value] * dice.choice((0, 1, 2, 20))) + b"]"
        case 5:
            return place.start, place.end, dice.choice(TEXTS if dice.random() < 0.5 else NUMBERS)
        case _:
            return place.start, place.end, dice.choice(WRONG_TYPES)


def _valid(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    return sample.data, ({} if dice.random() < 0.9 else {"Acp-Expires": dice.choice(TIMES)})


def _structure(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    edits = [edit(sample, dice.choice(sample.places), dice) for _ in range(dice.choice((1, 1, 1, 2, 3, 4)))]
    return with_edits(sample.data, edits), {}


def _one_value(values: Sequence[bytes]) -> Mutation:
    def mutate(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
        place = dice.choice(sample.places)
        return sample.data[: place.start] + dice.choice(values) + sample.data[place.end :], {}

    return mutate


def _repeated_name(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    place = dice.choice(sample.places)
    name = sample.data[place.name_start : place.name_end] or b'"x"'
    return sample.data[:-1] + b"," + name + b":" + dice.choice(WRONG_TYPES) + b"}", {}


def flipped(data: bytes, dice: random.Random) -> bytes:
    """The same with up to eight other bytes."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        if changed:
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    return bytes(changed)


def recut(data: bytes, dice: random.Random) -> bytes:
    """The same with a slice dropped, or repeated."""
    start, end = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
    return data[:start] + data[end:] if dice.random() < 0.5 else data[:end] + data[start:]


def _bytes_flipped(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    return flipped(sample.data, dice), {}


def _recut(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    return recut(sample.data, dice), {}


def _deep(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    """A value nested without end, at any place."""
    depth = dice.choice(DEPTHS) if dice.random() < 0.98 else 100_000
    opening, closing = dice.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nested = opening * depth + (b"1" + closing * depth if dice.random() < 0.5 else b"")
    place = dice.choice(sample.places)
    return sample.data[: place.start] + nested + sample.data[place.end :], {}


def _bomb(_: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    return dice.choice(BOMBS), ZSTD


def _compressed(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    return codec.compress(_structure(sample, dice)[0]), ZSTD


def _corrupted_frame(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    frame = codec.compress(sample.data)
    return (flipped(frame, dice) if dice.random() < 0.7 else frame[: dice.randrange(len(frame))]), ZSTD


def _wrong_header(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    encoding = dice.choice(("gzip", "br", "zstd", "ZSTD", "zstd, zstd", "none", "x" * 2000))
    data = codec.compress(sample.data) if dice.random() < 0.5 else sample.data
    return data, {codec.ENCODING_HEADER: encoding}


def _noise(_: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    return dice.randbytes(dice.choice((0, 1, 2, 16, 300, 5000))), dice.choice(({}, ZSTD))


def _large(sample: Sample, dice: random.Random) -> tuple[bytes, Headers]:
    """One value so large that the message fills its bound, or passes it."""
    size = dice.choice((codec.MAX_COMMAND_BYTES - 100, codec.MAX_COMMAND_BYTES + 1, codec.MAX_MESSAGE_BYTES))
    place = dice.choice(sample.places)
    piece = dice.choice((b'"' + b"[" * 3000 + b'",', b"{},", b'"a",', b"1,", b"[[[]]],"))
    value = b"[" + piece * ((size - len(sample.data)) // len(piece)) + b"1]"
    return sample.data[: place.start] + value + sample.data[place.end :], {}


_KINDS: dict[str, tuple[float, Mutation]] = {
    "valid": (4, _valid),
    "structure": (44, _structure),
    "hostile text": (14, _one_value(TEXTS)),
    "long text": (0.3, _one_value(LONG_TEXTS)),
    "extreme number": (8, _one_value(NUMBERS)),
    "raw value": (8, _one_value(RAW_VALUES)),
    "repeated name": (3, _repeated_name),
    "bytes flipped": (8, _bytes_flipped),
    "recut": (4, _recut),
    "deep": (1, _deep),
    "bomb": (0.3, _bomb),
    "compressed": (2, _compressed),
    "corrupted frame": (2, _corrupted_frame),
    "wrong header": (1, _wrong_header),
    "noise": (1, _noise),
    "large": (0.02, _large),
}
"""Name -> (weight, mutation)."""

_NAMES = (*_KINDS,)
_WEIGHTS = (*accumulate(weight for weight, _ in _KINDS.values()),)
