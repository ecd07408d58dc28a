"""A PNG writer for freshly made pictures: fast rather than small, and its compression runs without Python's lock."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

LEVEL = 1
"""zlib level: the next ones cost several times the time for a few percent of size."""

_UP = 2
"""Filter type: each byte minus the one above it (PNG specification, 9.2)."""


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """The PNG file of an RGB picture, shape (height, width, 3)."""
    height, width, channels = pixels.shape
    if channels != 3:
        raise ValueError(f"an RGB picture has 3 channels, not {channels}")
    rows = pixels.reshape(height, width * 3)
    lines = np.empty((height, 1 + width * 3), dtype=np.uint8)
    lines[:, 0] = _UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.data, LEVEL)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file: length, kind, data, CRC (PNG specification, 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
