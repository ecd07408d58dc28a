"""The child that parses: it limits itself, then answers one picture after the other until its input ends."""

import io
import resource
import signal
import sys
from contextlib import suppress
from typing import cast

import msgspec
import numpy as np

from agents.shared.picture import Rgb, Undecodable, decode, decode_frames, media_type_of
from agents.shared.sandbox.wire import Answer, read_frame, write_frame

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space of a child: the largest file, its pixels as a decoder holds them, its array, and the libraries."""

CPU_SECONDS = 20.0
"""Of one picture."""

SAMPLE_SIDE = 512


def main() -> None:
    """Answer until the input ends, within the limits that the arguments tell."""
    memory_bytes, cpu_seconds = sys.argv[2:]
    limit_resources(int(memory_bytes))
    requests, answers = cast(io.BufferedIOBase, sys.stdin.buffer), cast(io.BufferedIOBase, sys.stdout.buffer)
    answer_requests(requests, answers, float(cpu_seconds))


def limit_resources(memory_bytes: int = MEMORY_BYTES) -> None:
    """Set the limits of this process that no picture changes; `memory_bytes` are those of its address space."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(limit, (value, value))


def answer_requests(requests: io.BufferedIOBase, answers: io.BufferedIOBase, cpu_seconds: float) -> None:
    """Answer one picture after the other; between two of them none is kept in memory."""
    with suppress(EOFError):
        while True:
            _answer_request(requests, answers, cpu_seconds)


def _answer_request(requests: io.BufferedIOBase, answers: io.BufferedIOBase, cpu_seconds: float) -> None:
    """Two frames in, what is wanted and the file; two frames out, the answer and its pixels."""
    wanted = read_frame(requests, 16).decode()
    data = bytes(read_frame(requests))
    # Ends this process by SIGPROF. RLIMIT_CPU would count what other pictures took, and whole seconds alone.
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    answer, pixels = parse(data, wanted)
    signal.setitimer(signal.ITIMER_PROF, 0)
    write_frame(answers, msgspec.msgpack.encode(answer))
    write_frame(answers, pixels)


def parse(data: bytes, wanted: str) -> tuple[Answer, memoryview]:
    """What the child answers to one file, and the pixels that are wanted of it."""
    try:
        return _describe(data, wanted)
    except Undecodable as error:
        return Answer(error.fault, str(error)[:500]), memoryview(b"")
    except MemoryError:
        what = "decoding it takes more memory than a picture may: save it again as PNG, or make it smaller"
        return Answer("too_large", what), memoryview(b"")


def _describe(data: bytes, wanted: str) -> tuple[Answer, memoryview]:
    if wanted == "type":
        return Answer(media_type=media_type_of(data)), memoryview(b"")
    if wanted == "frames":
        frames = decode_frames(data)
        count, height, width, _ = frames.shape
        answer = Answer(width=width, height=height, frames=count, rows=count * height, columns=width)
        return answer, frames.reshape(-1).data
    found = decode(data)
    width, height = found.size
    kept = np.ascontiguousarray(_select(found.rgb, wanted))
    rows, columns, _ = kept.shape
    return (
        Answer(None, "", found.media_type, width, height, found.frames, found.adapted, rows, columns),
        kept.reshape(-1).data if kept.size else memoryview(b""),
    )


def _select(rgb: Rgb, wanted: str) -> Rgb:
    match wanted:
        case "pixels":
            return rgb
        case "sample":
            every = max(1, max(rgb.shape) // SAMPLE_SIDE)
            return rgb[::every, ::every]
        case "brightest":
            # Row by row: a sum of all pixels would be as large as the picture again.
            brightest = max((row[row.sum(1).argmax()] for row in rgb), key=lambda pixel: int(pixel.sum()))
            return brightest.reshape(1, 1, 3)
        case _:
            return rgb[:0]
