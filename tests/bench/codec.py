"""Microseconds to encode, decode, compress and decompress, and what the dictionary saves: `python -m
tests.bench.codec [--rounds N]`.

Each contender does the same message in interleaved rounds; medians of the processor time, so that other work on the
machine counts little. The standard library's json neither checks types nor builds messages; pydantic does both.
The dictionary is measured on messages of a workshop that makes pictures meanwhile (`tests.bench.recording`).
"""

import argparse
import json
import statistics
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from bus.telemetry import configure_logging
from protocol import codec
from protocol.channels import DICTIONARY_MESSAGES
from protocol.schema import type_name
from tests.bench.recording import record
from tests.bench.rivals import pydantic_model
from tests.protocol.frames import GOLDEN, KINDS

MESSAGES = {
    "status": "seed_generation_status",
    "command": "seed_generate_images",
    "job": "work_generate_image_2_plain",
    "capabilities": "reply_capabilities",
}
"""Name -> golden frame."""

ROUND_S = 0.01
"""Shortest time of one measurement: a thousand times the clock's own error."""

Contenders = dict[str, Callable[[], Any]]


def medians_us(contenders: Contenders, rounds: int) -> dict[str, float]:
    """Median microseconds of a call of each contender, over interleaved rounds."""
    return {name: statistics.median(times) for name, times in rounds_us(contenders, rounds).items()}


def rounds_us(contenders: Contenders, rounds: int) -> dict[str, list[float]]:
    """Microseconds of a call of each contender, round by round."""
    repeats = {name: _repeats(call) for name, call in contenders.items()}
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            taken[name].append(_seconds(call, repeats[name]) / repeats[name] * 1e6)
    return taken


def _repeats(call: Callable[[], Any]) -> int:
    repeats = 1
    while _seconds(call, repeats) < ROUND_S:
        repeats *= 2
    return repeats


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    started = time.thread_time()
    for _ in range(repeats):
        call()
    return time.thread_time() - started


def encoders(message: msgspec.Struct, frame: dict[str, Any]) -> Contenders:
    """JSON bytes from a message."""
    model = pydantic_model(type(message)).model_validate(frame)
    return {
        "protocol": lambda: codec.encode(message),
        "json": lambda: json.dumps(frame, separators=(",", ":")).encode(),
        "pydantic": lambda: model.model_dump_json().encode(),
    }


def decoders(kind: type[msgspec.Struct], data: bytes) -> dict[str, Contenders]:
    """A message from JSON bytes; for a command also the whole door, with bounds, repeated names and refusals."""
    decoder, model = msgspec.json.Decoder(kind), pydantic_model(kind)
    others: Contenders = {"json": lambda: json.loads(data), "pydantic": lambda: model.model_validate_json(data)}
    steps: dict[str, Contenders] = {"decode": {"protocol": lambda: decoder.decode(data), **others}}
    if kind.__struct_config__.tag_field == "cmd":
        steps["door"] = {"protocol": lambda: codec.decode_command(data), **others}
    return steps


def compressors(data: bytes) -> dict[str, Contenders]:
    """There and back."""
    frame, deflated = codec.compress(data), zlib.compress(data)
    return {
        "compress": {"protocol": lambda: codec.compress(data), "zlib": lambda: zlib.compress(data)},
        "decompress": {"protocol": lambda: codec.decompress(frame), "zlib": lambda: zlib.decompress(deflated)},
    }


def dictionary_row(messages: Sequence[bytes], rounds: int) -> str:
    """A row of the dictionary's table for messages of one type: bytes and microseconds without and with it."""
    kind = KINDS[type_name(json.loads(messages[0]))]
    decoder = msgspec.json.Decoder(kind)
    structs = [decoder.decode(data) for data in messages]
    frames = {with_it: [codec.compress(data, dictionary=with_it) for data in messages] for with_it in (False, True)}
    bytes_of = {with_it: sum(map(len, frames[with_it])) / len(messages) for with_it in frames}

    def pack(with_it: bool) -> None:
        for message in structs:
            codec.compress(codec.encode(message), dictionary=with_it)

    def unpack(with_it: bool) -> None:
        for frame in frames[with_it]:
            decoder.decode(codec.decompress(frame))

    cells = [
        kind.__name__,
        "yes" if kind in DICTIONARY_MESSAGES else "no",
        str(len(messages)),
        f"{statistics.mean(map(len, messages)):.0f}",
        f"{bytes_of[False]:.0f}",
        f"{bytes_of[True]:.0f}",
        f"{1 - bytes_of[True] / bytes_of[False]:.0%}",
    ]
    for call in (pack, unpack):
        taken = rounds_us({"plain": lambda call=call: call(False), "with": lambda call=call: call(True)}, rounds)
        plain, smaller = (statistics.median(taken[name]) / len(messages) for name in ("plain", "with"))
        ratio = statistics.median(b / a for a, b in zip(taken["plain"], taken["with"], strict=True))
        cells += [f"{plain:.1f}", f"{smaller:.1f}", f"{ratio:.2f}×"]
    return f"| {' | '.join(cells)} |"


def compare_dictionary(rounds: int) -> None:
    """Print what the dictionary saves and costs, by the type of message."""
    print("\n| message | uses it | n | JSON, B | zstd, B | with, B | saved | pack, µs | with | ratio ", end="")
    print("| unpack, µs | with | ratio |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    recorded = record()
    for _, messages in sorted(recorded.items()):
        print(dictionary_row(messages, rounds))
    used = [data for messages in recorded.values() for data in messages if _uses_dictionary(data)]
    plain, smaller = (sum(len(codec.compress(data, dictionary=with_it)) for data in used) for with_it in (False, True))
    print(f"\nAll {len(used)} messages that use it: {plain} B, with it {smaller} B, {1 - smaller / plain:.1%} saved")


def _uses_dictionary(data: bytes) -> bool:
    return KINDS[type_name(json.loads(data))] in DICTIONARY_MESSAGES


def main() -> None:
    configure_logging("bench", "error")
    parser = argparse.ArgumentParser(prog="python -m tests.bench.codec", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds: int = parser.parse_args().rounds
    print("| message | step | protocol, µs | json, µs | pydantic, µs | zlib, µs | others / protocol |")
    print("|---|---|---:|---:|---:|---:|---|")
    for name, stem in MESSAGES.items():
        frame = json.loads((GOLDEN / f"{stem}.json").read_bytes())
        kind = KINDS[type_name(frame)]
        message = msgspec.convert(frame, type=kind)
        data = codec.encode(message)
        steps = {"encode": encoders(message, frame), **decoders(kind, data), **compressors(data)}
        for step, contenders in steps.items():
            print(_row(f"{name}, {len(data)} B", step, medians_us(contenders, rounds)))
        print(f"| {name} | zstd {len(codec.compress(data))} B, zlib {len(zlib.compress(data))} B | | | | | |")
    compare_dictionary(rounds)


def _row(name: str, step: str, medians: dict[str, float]) -> str:
    ours = medians["protocol"]
    cells = [f"{medians[who]:.1f}" if who in medians else "" for who in ("protocol", "json", "pydantic", "zlib")]
    ratios = ", ".join(f"{who} {time / ours:.1f}×" for who, time in medians.items() if who != "protocol")
    return f"| {name} | {step} | {' | '.join(cells)} | {ratios} |"


if __name__ == "__main__":
    main()
