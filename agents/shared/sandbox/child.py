"""The child that parses: it limits itself, then answers one picture after the other until its input ends."""

import resource
import sys
from typing import BinaryIO

import msgspec
import numpy as np

from agents.shared.picture import Rgb, Undecodable, decode
from agents.shared.sandbox.wire import Answer, read_frame, write_frame

MEMORY_BYTES = 1024 * 1024 * 1024
"""Address space of a child: the largest file, its pixels in several modes, and the libraries."""

CPU_SECONDS = 20
"""Of one picture."""

SAMPLE_SIDE = 512


def main() -> None:
    """Answer until the input ends."""
    limit_resources()
    answer_requests(sys.stdin.buffer, sys.stdout.buffer)


def limit_resources() -> None:
    """Set the limits of this process that no picture changes."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(limit, (value, value))


def answer_requests(requests: BinaryIO, answers: BinaryIO) -> None:
    """Two frames in, what is wanted and the file; two frames out, the answer and its pixels."""
    while True:
        try:
            wanted = read_frame(requests, 16).decode()
            data = read_frame(requests)
        except EOFError:
            return
        _limit_cpu()
        answer, pixels = parse(bytes(data), wanted)
        write_frame(answers, msgspec.msgpack.encode(answer))
        write_frame(answers, pixels)


def parse(data: bytes, wanted: str) -> tuple[Answer, memoryview]:
    """What the child answers to one file, and the pixels that are wanted of it."""
    try:
        found = decode(data)
    except Undecodable as error:
        return Answer(error.fault, str(error)[:500]), memoryview(b"")
    except MemoryError:
        return Answer("too_large", "decoding it takes more memory than a picture may"), memoryview(b"")
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


def _limit_cpu() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
