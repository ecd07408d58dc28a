"""Frames between an agent and the child that parses for it: a length of 4 bytes, then that many."""

import io
from typing import Literal

import msgspec

from agents.shared.picture import Fault

Wanted = Literal["type", "size", "pixels", "frames", "sample", "brightest"]
"""What of the pixels comes back: none, and they are not decoded; none; all; those of all frames, one frame below the
other; every n-th, so that the longer side is below 1024; the brightest one."""

MAX_FRAME = 128 * 1024 * 1024
"""The largest picture has 96 MB of RGB."""


class Answer(msgspec.Struct):
    """What a child found; its pixels follow in a frame of their own, `rows` x `columns` x 3 bytes. With a `fault`
    there are none."""

    fault: Fault | None = None
    message: str = ""
    media_type: str = ""
    width: int = 0
    height: int = 0
    frames: int = 1
    adapted: bool = False
    rows: int = 0
    columns: int = 0


def write_frame(stream: io.BufferedIOBase, data: bytes | memoryview) -> None:
    """Write one frame and flush it."""
    stream.write(len(data).to_bytes(4, "little"))
    stream.write(data)
    stream.flush()


def read_frame(stream: io.BufferedIOBase, limit: int = MAX_FRAME) -> bytearray:
    """The next frame.

    Raises:
        EOFError: the other side ended.
        ValueError: the frame is longer than `limit`.
    """
    prefix = stream.read(4)
    if len(prefix) < 4:
        raise EOFError
    length = int.from_bytes(prefix, "little")
    if length > limit:
        raise ValueError(f"a frame of {length} bytes, more than {limit}")
    data = bytearray(length)
    left = memoryview(data)
    while left:
        got = stream.readinto(left)
        if not got:
            raise EOFError
        left = left[got:]
    return data
