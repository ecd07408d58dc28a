"""Values that a decoder of JSON may stumble over, each as the bytes that stand for it. Pure module."""

import json
from typing import Any

HOSTILE_TEXT = (
    "", " ", ".", "..", "a.b", "*", ">", "acp.v1.work.>", "$JS.API.STREAM.DELETE.ACP_WORK", "../x", "..\\x",
    "/etc/passwd", "a\x00b", "a\r\nPUB acp.v1.dead.x 0\r\n\r\n", "abc\n", "\u202egnp.x", "\u2028", "\ufeff", "\u200b",
    "\uff41\uff42", "%2e%2e", "{date}{__class__}", "'; DROP TABLE batches;--", "${HOME}", "{{7*7}}", "<script>", "con",
    "NUL", "_INBOX", "all", "null", "true", "1e999", "-0", "९९", "a" * 64, "a" * 65, "a" * 512, "a" * 4001,
    "\\", '"', "\t", "<lora:x:1>", "<lora:" * 200, "(((" * 300, "a::" * 300, "Steps: 1, Sampler: x", "--ar 1:1 --v 6",
    "2026-12-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "http://127.0.0.1:1/x", "file:///etc/passwd", "sha256:x",
)  # fmt: skip

LONG_TEXT = ("a" * 100_000, "\U0001f3a8" * 3000, "(" * 30_000, "<lora:a:" * 8000, "[a|b]" * 10_000, "\n" * 60_000)
"""What takes long to make and to read, and is therefore sent seldom."""

EXTREME_NUMBERS = (
    0, -1, 1, 2, 0.5, -0.0, 1e-300, 1e308, -1e308, 150, 151, 1_000_000, 1_000_001, 2**31, 2**53 - 1, 2**53, 2**63 - 1,
    2**63, 2**64, -(2**63) - 1, 10**30, 10**4000,
)  # fmt: skip

RAW_VALUES = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"01", b"+1", b".5", b"1.", b"0x10", b"nul", b"True", b"''",
    b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\xff\xfe"', b'"\xc0\xaf"', b'"\xed\xa0\x80"', b'"\n"', b"",
    b"/**/1", b"9" * 5000, b"1e" + b"9" * 400, b"[" * 200 + b"]" * 200, b'{"a":' * 200 + b"1" + b"}" * 200,
)  # fmt: skip

_WRONG_TYPES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], {"a": 1}, [1, "x", None]
)  # fmt: skip


def json_bytes(value: Any) -> bytes:
    """Compact JSON of a value, also of text that is no Unicode."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


TEXTS = tuple(map(json_bytes, HOSTILE_TEXT))
LONG_TEXTS = tuple(map(json_bytes, LONG_TEXT))
NUMBERS = tuple(map(json_bytes, EXTREME_NUMBERS))
WRONG_TYPES = tuple(map(json_bytes, _WRONG_TYPES))
