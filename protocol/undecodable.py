"""Why bytes are not JSON, in words that say what to do. Pure module."""

import codecs
import re

_SURROGATE = re.compile(rb"\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..\\u)[dD][c-fC-F])")


def undecodable_hint(data: bytes) -> str:
    """What to do about bytes that are no command."""
    if data.startswith(codecs.BOM_UTF8):
        return "send UTF-8 without a byte order mark"
    if b"\0" in data[:4]:
        return "send UTF-8; this is UTF-16 or UTF-32"
    if found := _SURROGATE.search(data):
        return f"{found[0].decode()} is half of a character: send the character itself, in UTF-8"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return f"send UTF-8; the byte at {error.start} is none of it"
    return 'send one object, {"cmd": …}'
