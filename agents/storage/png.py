"""PNG text chunks, written and read without touching the pixels. Pure module.

Chunk layout, keywords and text types: https://www.w3.org/TR/png-3/#11textinfo
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"

XMP_KEYWORD = "XML:com.adobe.xmp"
"""Keyword of the iTXt chunk that holds an XMP packet (XMP specification part 3)."""

_TEXT_KINDS = (b"tEXt", b"zTXt", b"iTXt")
_CHUNK_OVERHEAD = 12
"""Bytes of a chunk around its content: length, kind, CRC."""


class BrokenPng(ValueError):
    """The bytes are not a whole PNG file; the message says where they stop being one."""


@dataclass(frozen=True)
class Chunk:
    """One chunk: its kind, its content, and where it lies in the file."""

    kind: bytes
    content: memoryview
    start: int
    end: int


def chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks of a PNG file, from IHDR to IEND; what follows IEND is no part of it.

    Raises:
        BrokenPng: wrong signature, a chunk that is cut off, a wrong CRC, or no end.
    """
    if not data.startswith(SIGNATURE):
        raise BrokenPng("the bytes do not begin with the PNG signature")
    view, start = memoryview(data), len(SIGNATURE)
    while start + _CHUNK_OVERHEAD <= len(data):
        length = int.from_bytes(view[start : start + 4])
        end = start + _CHUNK_OVERHEAD + length
        if end > len(data):
            raise BrokenPng(f"the chunk at byte {start} is cut off")
        kind = bytes(view[start + 4 : start + 8])
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end]):
            raise BrokenPng(f"the chunk {kind!r} at byte {start} has a wrong checksum")
        if (start == len(SIGNATURE)) != (kind == b"IHDR"):
            raise BrokenPng(f"the chunk {kind!r} at byte {start} is out of place")
        yield Chunk(kind, view[start + 8 : end - 4], start, end)
        if kind == b"IEND":
            return
        start = end
    raise BrokenPng("the file ends before its IEND chunk")


def with_text(data: bytes, texts: Mapping[str, str]) -> bytes:
    """The same picture with these texts after its header; texts that it had under the same keywords are dropped.

    Raises:
        BrokenPng: the bytes are not a whole PNG file.
    """
    parts = [SIGNATURE]
    for chunk in chunks(data):
        if chunk.kind in _TEXT_KINDS and _keyword(chunk) in texts:
            continue
        parts.append(data[chunk.start : chunk.end])
        if chunk.kind == b"IHDR":
            parts += [_text_chunk(keyword, text) for keyword, text in texts.items()]
    return b"".join(parts)


def without_text(data: bytes) -> bytes:
    """The same picture with no text in it.

    Raises:
        BrokenPng: the bytes are not a whole PNG file.
    """
    kept = (data[chunk.start : chunk.end] for chunk in chunks(data) if chunk.kind not in _TEXT_KINDS)
    return b"".join((SIGNATURE, *kept))


def read_text(data: bytes) -> dict[str, str]:
    """Text by keyword. Compressed texts are left out: nothing is decompressed here.

    Raises:
        BrokenPng: the bytes are not a whole PNG file.
    """
    texts: dict[str, str] = {}
    for chunk in chunks(data):
        if chunk.kind == b"tEXt":
            texts[_keyword(chunk)] = _after_keyword(chunk).decode("latin-1")
        elif chunk.kind == b"iTXt" and _after_keyword(chunk)[:2] == b"\0\0":
            translated = _after_keyword(chunk)[2:].split(b"\0", 2)
            texts[_keyword(chunk)] = translated[-1].decode("utf-8", errors="replace")
    return texts


def _text_chunk(keyword: str, text: str) -> bytes:
    """tEXt where Latin-1 can say it, because most tools read that; iTXt in UTF-8 for the rest and for XMP."""
    name = keyword.encode("latin-1")
    if keyword != XMP_KEYWORD and _is_latin_text(text):
        return _chunk(b"tEXt", name + b"\0" + text.encode("latin-1"))
    flags_language_translation = b"\0\0\0\0"
    return _chunk(b"iTXt", name + b"\0" + flags_language_translation + text.replace("\0", "").encode())


def _is_latin_text(text: str) -> bool:
    return all(character == "\n" or " " <= character <= "~" or "\xa1" <= character <= "\xff" for character in text)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def _keyword(chunk: Chunk) -> str:
    return bytes(chunk.content[:80]).split(b"\0", 1)[0].decode("latin-1")


def _after_keyword(chunk: Chunk) -> bytes:
    return bytes(chunk.content).split(b"\0", 1)[-1]
