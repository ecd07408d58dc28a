"""Hostile payloads from valid commands: deterministic, each a pure function of a seed and a number."""

import copy
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from protocol import codec
from protocol.commands import NOT_BUILT_FIELDS, GenerateImages
from tests.protocol.bombs import bombs
from tests.protocol.frames import GOLDEN

Json = dict[str, Any]
Headers = dict[str, str]
Mutation = Callable[[random.Random], tuple[bytes, Headers]]


@dataclass(frozen=True)
class Payload:
    """One request: the bytes, their headers, the client that sends them, and the name of what was done to them."""

    data: bytes
    headers: Headers
    client: str
    kind: str


HOSTILE_TEXT = (
    "", " ", ".", "..", "a.b", "*", ">", "acp.v1.work.>", "$JS.API.STREAM.DELETE.ACP_WORK", "../x", "..\\x",
    "/etc/passwd", "a\x00b", "a\r\nPUB acp.v1.dead.x 0\r\n\r\n", "abc\n", "\u202egnp.x", "\u2028", "\ufeff", "\u200b",
    "\uff41\uff42", "%2e%2e", "{date}{__class__}", "'; DROP TABLE batches;--", "${HOME}", "{{7*7}}", "<script>", "con",
    "NUL", "_INBOX", "all", "null", "true", "1e999", "-0", "९९", "a" * 64, "a" * 65, "a" * 4001,
    "a" * 100_000, "\U0001f3a8" * 3000, "\\", '"', "\t",
)  # fmt: skip

EXTREME_NUMBERS = (
    0, -1, 1, 2, 0.5, -0.0, 1e-300, 1e308, -1e308, 150, 151, 1_000_000, 1_000_001, 2**31, 2**53 - 1, 2**53, 2**63 - 1,
    2**63, 2**64, -(2**63) - 1, 10**30, 10**4000,
)  # fmt: skip

RAW_VALUES = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"01", b"+1", b".5", b"1.", b"0x10", b"nul", b"True", b"''",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\n"', b"",
    b"/**/1", b"9" * 5000, b"1e" + b"9" * 400, b"[" * 200 + b"]" * 200, b'{"a":' * 200 + b"1" + b"}" * 200,
)  # fmt: skip

_FRAMES: tuple[Json, ...] = tuple(json.loads(file.read_bytes()) for file in sorted(GOLDEN.glob("*.json")))
VALID = tuple(frame for frame in _FRAMES if "cmd" in frame)
GENERATIONS = tuple(frame for frame in VALID if frame["cmd"] == "GENERATE_IMAGES")
NOT_BUILT = {*NOT_BUILT_FIELDS[GenerateImages], "export"}
BOMBS = tuple(bombs().values())
WRONG_TYPES: tuple[Any, ...] = (None, True, False, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], {"a": 1}, [1, "x", None])
CLIENTS = (*(f"fuzz-{number}" for number in range(8)), "all", "ADMIN", "a" * 65, "$x", "caf\u00e9")
HEADER_ROOM = 4096
"""The broker counts headers in, and hangs up on whoever sends more than its bound."""
ZSTD = {codec.ENCODING_HEADER: "zstd"}


def payload(seed: int, number: int) -> Payload:
    """The payload `number` of a seed."""
    rng = random.Random(f"{seed}.{number}")
    kind = rng.choices([*_KINDS], [weight for weight, _ in _KINDS.values()])[0]
    data, headers = _KINDS[kind][1](rng)
    return Payload(data[: codec.MAX_MESSAGE_BYTES - HEADER_ROOM], headers, rng.choice(CLIENTS), kind)


def command(rng: random.Random) -> Json:
    """A valid command that costs a workshop nothing: few pictures, held, no waiting."""
    chosen = copy.deepcopy(rng.choice(VALID if rng.random() < 0.4 else GENERATIONS))
    if chosen["cmd"] == "GENERATE_IMAGES":
        built = {name: value for name, value in chosen.items() if name not in NOT_BUILT or rng.random() < 0.02}
        chosen = {name: value for name, value in built.items() if name == "cmd" or rng.random() < 0.6}
        chosen["respond_format"] = rng.choice(("GENERATION_PLAN", "GENERATION_STATUS"))
        chosen["requirements"] = {"quantity": rng.randint(1, 3)}
    chosen.pop("client_id", None)
    return _harmless(chosen)


def _harmless(mutated: Json) -> Json:
    """Whatever was done to it: a command that may be accepted is held, and waits for nothing."""
    if not isinstance(mutated.get("hold", False), int):
        return mutated
    if mutated.get("cmd") == "GENERATE_IMAGES":
        mutated["hold"] = True
    if mutated.get("cmd") == "RESULT":
        mutated["wait_s"] = 0.0
    return mutated


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every value of a JSON tree as (container, key or index)."""
    if isinstance(node, dict):
        inner: list[tuple[Any, Any]] = list(cast("Json", node).items())
    elif isinstance(node, list):
        inner = list(enumerate(cast("list[Any]", node)))
    else:
        return []
    return [place for key, value in inner for place in ((cast("Any", node), key), *_places(value))]


def _place(tree: Json, rng: random.Random) -> tuple[Any, Any]:
    """One of its values; the name of the command less often, because a wrong one hides the rest."""
    places = _places(tree) or [({"": None}, "")]
    container, key = rng.choice(places)
    return rng.choice(places) if key == "cmd" else (container, key)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _valid(rng: random.Random) -> tuple[bytes, Headers]:
    return _json(command(rng)), {}


def _structure(rng: random.Random) -> tuple[bytes, Headers]:
    """Up to four fields dropped, renamed, added, moved to another place, or given another type."""
    mutated = command(rng)
    for _ in range(rng.randint(1, 4)):
        container, key = _place(mutated, rng)
        match rng.randrange(6):
            case 0:
                del container[key]
            case 1 if isinstance(key, str):
                name = rng.choice((key[:-1], f"{key}s", key.upper(), rng.choice(HOSTILE_TEXT)))
                container[name] = container.pop(key)
            case 2 if isinstance(key, str):
                container[rng.choice(HOSTILE_TEXT)] = copy.deepcopy(rng.choice(WRONG_TYPES))
            case 3:
                other, other_key = _place(mutated, rng)
                container[key] = copy.deepcopy(other[other_key])
            case 4:
                container[key] = [container[key]] * rng.choice((0, 1, 2, 20))
            case _:
                container[key] = copy.deepcopy(rng.choice(WRONG_TYPES))
    return _json(_harmless(mutated)), {}


def _one_value(values: Sequence[Any]) -> Mutation:
    def mutate(rng: random.Random) -> tuple[bytes, Headers]:
        mutated = command(rng)
        container, key = _place(mutated, rng)
        container[key] = rng.choice(values)
        return _json(_harmless(mutated)), {}

    return mutate


def _raw_value(rng: random.Random) -> tuple[bytes, Headers]:
    """Bytes that no JSON writer would write, in the place of a value."""
    mutated = command(rng)
    container, key = _place(mutated, rng)
    container[key] = "@place@"
    return _json(mutated).replace(b'"@place@"', rng.choice(RAW_VALUES)), {}


def _repeated_name(rng: random.Random) -> tuple[bytes, Headers]:
    mutated = command(rng)
    name = rng.choice([*mutated])
    return _json(mutated)[:-1] + b", " + _json({name: rng.choice((mutated[name], "x", 1))})[1:], {}


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _bytes_flipped(rng: random.Random) -> tuple[bytes, Headers]:
    return _flipped(_json(command(rng)), rng), {}


def _cut(rng: random.Random) -> tuple[bytes, Headers]:
    """A slice dropped, or said twice."""
    data = _json(command(rng))
    start, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return (data[:start] + data[end:] if rng.random() < 0.5 else data[:end] + data[start:]), {}


def _deep(rng: random.Random) -> tuple[bytes, Headers]:
    depth = rng.choice((60, 64, 65, 500, 5_000, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nested = opening * depth + (b"1" + closing * depth if rng.random() < 0.5 else b"")
    return b'{"cmd":"GENERATE_IMAGES","hold":true,"metadata":{"a":' + nested + b"}}", {}


def _bomb(rng: random.Random) -> tuple[bytes, Headers]:
    return rng.choice(BOMBS), ZSTD


def _compressed(rng: random.Random) -> tuple[bytes, Headers]:
    return codec.compress(_structure(rng)[0]), ZSTD


def _corrupted_frame(rng: random.Random) -> tuple[bytes, Headers]:
    frame = codec.compress(_json(command(rng)))
    return (_flipped(frame, rng) if rng.random() < 0.7 else frame[: rng.randrange(len(frame))]), ZSTD


def _wrong_header(rng: random.Random) -> tuple[bytes, Headers]:
    data = _json(command(rng))
    encoding = rng.choice(("gzip", "br", "zstd", "ZSTD", "zstd, zstd", "none", "x" * 2000))
    return (codec.compress(data) if rng.random() < 0.5 else data), {codec.ENCODING_HEADER: encoding}


def _noise(rng: random.Random) -> tuple[bytes, Headers]:
    return rng.randbytes(rng.choice((0, 1, 2, 16, 300, 5000))), rng.choice(({}, ZSTD))


def _large(rng: random.Random) -> tuple[bytes, Headers]:
    size = rng.choice((codec.MAX_COMMAND_BYTES - 100, codec.MAX_COMMAND_BYTES + 1, codec.MAX_MESSAGE_BYTES))
    data = b'{"cmd":"GENERATE_IMAGES","hold":true,"prompts":[' + b'"%s",' % (b"[" * 3000) * (size // 3003)
    return data[: size - 4] + b'x"]}', {}


_KINDS: dict[str, tuple[float, Mutation]] = {
    "valid": (4, _valid),
    "structure": (38, _structure),
    "hostile text": (14, _one_value(HOSTILE_TEXT)),
    "extreme number": (8, _one_value(EXTREME_NUMBERS)),
    "raw value": (8, _raw_value),
    "repeated name": (4, _repeated_name),
    "bytes flipped": (8, _bytes_flipped),
    "cut": (4, _cut),
    "deep": (2, _deep),
    "bomb": (2, _bomb),
    "compressed": (3, _compressed),
    "corrupted frame": (3, _corrupted_frame),
    "wrong header": (1, _wrong_header),
    "noise": (1, _noise),
    "large": (0.1, _large),
}
"""Name -> (weight, mutation)."""
