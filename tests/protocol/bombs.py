"""Payloads that are small to send and large, long or odd to unpack."""

import zstandard

MIB = 1024 * 1024

_MAGIC = b"\x28\xb5\x2f\xfd"
_WINDOW_2_MIB = b"\x58"
_BLOCK = 128 * 1024


def run_length_frame(content_bytes: int) -> bytes:
    """A frame of zeros that names no size: 4 bytes for each 128 KiB (RFC 8878, 3.1.1.2.2)."""
    blocks = content_bytes // _BLOCK
    last = (1 | 1 << 1 | _BLOCK << 3).to_bytes(3, "little") + b"\0"
    more = (0 | 1 << 1 | _BLOCK << 3).to_bytes(3, "little") + b"\0"
    return _MAGIC + b"\0" + _WINDOW_2_MIB + more * (blocks - 1) + last


def empty_blocks_frame(blocks: int) -> bytes:
    """A frame of many blocks without content."""
    return _MAGIC + b"\0" + _WINDOW_2_MIB + b"\0\0\0" * blocks + b"\1\0\0"


def sized(content: bytes) -> bytes:
    """An ordinary frame, which names its size."""
    return zstandard.ZstdCompressor(level=3).compress(content)


def unsized(content: bytes) -> bytes:
    """The frame of a stream, which does not."""
    stream = zstandard.ZstdCompressor(level=3).compressobj()
    return stream.compress(content) + stream.flush()


def with_size_changed(content: bytes, claimed: int) -> bytes:
    """A frame whose header claims another size than its content has (8-byte size field, RFC 8878, 3.1.1.1)."""
    body = sized(content)[_header_bytes(sized(content)) :]
    return _MAGIC + b"\xe0" + claimed.to_bytes(8, "little") + body


def huge_window_frame(content: bytes) -> bytes:
    """A frame that wants a window of 128 MiB from its reader."""
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(content) + stream.flush()


def skippable(content: bytes) -> bytes:
    """A skippable frame (RFC 8878, 3.1.2)."""
    return b"\x50\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def _header_bytes(frame: bytes) -> int:
    return zstandard.frame_header_size(frame)


def bombs() -> dict[str, bytes]:
    """Name -> a payload that must be refused."""
    zeros = bytes(64 * MIB)
    text = b'{"cmd":"CAPABILITIES"}'
    return {
        "64 MiB, size named": sized(zeros),
        "64 MiB, size not named": unsized(zeros),
        "512 MiB of run-length blocks": run_length_frame(512 * MIB),
        "32 GiB of run-length blocks": run_length_frame(32 * 1024 * MIB - _BLOCK * 8),
        "one block above the bound": run_length_frame(MIB + _BLOCK),
        "claims 2^64-3 bytes": with_size_changed(text, 2**64 - 3),
        "claims 1 byte, holds more": with_size_changed(text, 1),
        "claims more than it holds": with_size_changed(text, 1000),
        "wants a window of 128 MiB": huge_window_frame(text),
        "a bomb in a frame": sized(sized(zeros)) + b"\0",
        "two frames": sized(text) + sized(text),
        "two frames without sizes": unsized(text) + unsized(text),
        "a thousand empty frames": sized(b"") * 1000,
        "bytes after a frame": sized(text) + b"}",
        "bytes after a frame without a size": unsized(text) + b"}",
        "a skippable frame alone": skippable(text),
        "a skippable frame in front": skippable(b"x") + sized(text),
        "a skippable frame behind": sized(text) + skippable(b"x"),
        "a skippable frame that claims 4 GiB": b"\x50\x2a\x4d\x18\xff\xff\xff\xff",
        "cut off": sized(text)[:-1],
        "cut off, without a size": unsized(text)[:-1],
        "only a header": sized(text)[:6],
        "only the magic number": _MAGIC,
        "nothing": b"",
        "plain text": text,
        "gzip": b"\x1f\x8b\x08\x00" + b"\0" * 20,
    }
