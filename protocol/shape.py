"""The shape of a JSON text, beside its types: how deep it nests, and whether an object says a name twice.

Pure module.
"""

import json
import re
from typing import Any, cast

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_BRACKETS = b"[]{}"
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in _BRACKETS)


def is_deeper(data: bytes, bound: int) -> bool:
    """Whether brackets nest deeper than `bound`. Each pass removes the innermost pairs at once."""
    if data.count(b"[") + data.count(b"{") <= bound:
        return False
    brackets = _STRINGS.sub(b"", data).translate(None, _NOT_BRACKETS)
    for _ in range(bound):
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) == len(brackets):
            break
        brackets = left
    return bool(brackets) and (b"[" in brackets or b"{" in brackets)


def repeated_name(data: bytes) -> str | None:
    """The path of the first name that an object of a valid JSON text says twice, such as `$.seed`, or None.

    Typed decoders keep the last of them silently, so two readers of the same bytes could see two commands.
    """
    return _repeated_name_below(json.loads(data, object_pairs_hook=tuple), "$")


def _repeated_name_below(value: Any, path: str) -> str | None:
    if isinstance(value, tuple):
        seen: set[str] = set()
        for name, inner in cast("tuple[tuple[str, Any], ...]", value):
            if name in seen:
                return f"{path}.{name}"
            seen.add(name)
            if found := _repeated_name_below(inner, f"{path}.{name}"):
                return found
    elif isinstance(value, list):
        for place, inner in enumerate(cast("list[Any]", value)):
            if found := _repeated_name_below(inner, f"{path}[{place}]"):
                return found
    return None
