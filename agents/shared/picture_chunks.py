"""How many pieces a picture's file has, counted before any decoder sees it: each piece costs a decoder time, however
small it is. Pure module: bytes in, what is too much of them out."""

import re
from collections.abc import Iterator
from itertools import islice

MAX_CHUNKS = 65_536
"""Chunks of a PNG or WebP: 64 MB in pieces of 8 KB, as libpng writes them, are 8,192."""

MAX_PROFILES = 16
"""Colour profiles of a PNG, each of which is decompressed though the last one counts: it should have one."""

MAX_SEGMENTS = 16_384
"""Segments of a JPEG, and the bytes that fill the room between them: 64 MB in segments of 64 KB are 1,024."""

MAX_SCANS = 100
"""Of a progressive JPEG, which a decoder goes through as a whole for each: the usual ones have 10."""

MAX_FRAMES = 4096
"""Of an animated WebP: a minute at 60 a second is 3,600."""

_PNG = b"\x89PNG\r\n\x1a\n"
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""Within a scan 0xFF is followed by 0 where it is a value, and restart markers stand between its intervals."""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset({0x01, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)})
"""Markers that stand alone (ITU-T T.81, table B.1), and those of extensions, whose length Pillow does not heed."""


def excess_of(data: bytes) -> str | None:
    """What a file has too many of, and what to do about it; null where it is in order, or no PNG, JPEG or WebP."""
    if data.startswith(_PNG):
        return _find_png_excess(data)
    if data.startswith(b"\xff\xd8"):
        return _find_jpeg_excess(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _find_webp_excess(data)
    return None


def _chunk_excess(kinds: list[bytes], instead: str) -> str | None:
    return f"more than {MAX_CHUNKS} chunks: save it again as {instead}" if len(kinds) > MAX_CHUNKS else None


def _find_png_excess(data: bytes) -> str | None:
    kinds = list(islice(_png_chunks(data), MAX_CHUNKS + 1))
    if kinds.count(b"iCCP") > MAX_PROFILES:
        return f"more than {MAX_PROFILES} colour profiles: save it again as PNG without metadata"
    return _chunk_excess(kinds, "PNG without metadata")


def _png_chunks(data: bytes) -> Iterator[bytes]:
    """The kind of each chunk (PNG specification, 5.3)."""
    at = len(_PNG)
    while at + 8 <= len(data):
        yield data[at + 4 : at + 8]
        at += 12 + int.from_bytes(data[at : at + 4], "big")


def _find_jpeg_excess(data: bytes) -> str | None:
    """Goes from marker to marker (ITU-T T.81, B.1.1); a file that ends early is for its decoder to refuse."""
    at, pieces, scans, marker = 2, 0, 0, _MARKER
    while (found := marker.search(data, at)) is not None:
        kind = data[found.start() + 1]
        # What is skipped after a scan is the scan itself; before one it is read byte by byte.
        pieces += 1 if marker is _MARKER_AFTER_SCAN else 1 + found.start() - at
        if pieces > MAX_SEGMENTS:
            return f"more than {MAX_SEGMENTS} segments: save it again as PNG, or as JPEG without metadata"
        at = found.end()
        if kind == _END_OF_IMAGE and scans:
            return None
        if kind in _WITHOUT_LENGTH:  # an end before any scan is none to a decoder, which goes on looking for one
            continue
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
        marker = _MARKER_AFTER_SCAN if kind == _START_OF_SCAN else _MARKER
        scans += kind == _START_OF_SCAN
        if scans > MAX_SCANS:
            return f"more than {MAX_SCANS} scans: save it again as PNG, or as JPEG that is not progressive"
    return None


def _find_webp_excess(data: bytes) -> str | None:
    kinds = list(islice(_webp_chunks(data), MAX_CHUNKS + 1))
    if kinds.count(b"ANMF") > MAX_FRAMES:
        return f"more than {MAX_FRAMES} frames: save the one that is meant as PNG"
    return _chunk_excess(kinds, "PNG, or as WebP without metadata")


def _webp_chunks(data: bytes) -> Iterator[bytes]:
    """The kind of each chunk in a RIFF file, whose lengths are made even (RFC 9649, 2.3); what follows its end is no
    part of it."""
    at, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end:
        yield data[at : at + 4]
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
