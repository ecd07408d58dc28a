"""Why bytes are not JSON, in words that say what to do. Pure module."""

import codecs
import re

_ESCAPE = re.compile(rb"\\(?:u(?P<code>[0-9a-fA-F]{4})|.)", re.DOTALL)
_HIGH, _LOW = range(0xD800, 0xDC00), range(0xDC00, 0xE000)


def undecodable_hint(data: bytes) -> str:
    """What to do about bytes that are no command."""
    if data.startswith(codecs.BOM_UTF8):
        return "send UTF-8 without a byte order mark"
    if b"\0" in data[:4]:
        return "send UTF-8; this is UTF-16 or UTF-32"
    if half := _half_character(data):
        return f"{half} is half of a character: send the character itself, in UTF-8"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"send UTF-8; the byte at {error.start} is none of it"
    return 'send one object, {"cmd": …}'


def _half_character(data: bytes) -> str | None:
    """The first escape of half a character without the other half; null where there is none."""
    open_half: re.Match[bytes] | None = None
    for escape in _ESCAPE.finditer(data):
        code = int(escape["code"], 16) if escape["code"] else 0
        if open_half is not None:
            if code in _LOW and escape.start() == open_half.end():
                open_half = None
                continue
            break
        if code in _LOW:
            return escape[0].decode()
        open_half = escape if code in _HIGH else None
    return open_half[0].decode() if open_half else None
