"""TOML of a file that a stranger may have written: what would take its reader too long, or end in an error that is not
about TOML, is refused as no TOML. Pure module."""

import re
import tomllib
from typing import Any

MAX_BYTES = 1024 * 1024
MAX_PARTS = 16
"""Parts of a dotted name: reading one takes time in the square of them."""

_LONG_NAME = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{MAX_PARTS}}}")


class NotToml(ValueError):
    """The bytes are not read as TOML; the message says why."""


def parse_toml(data: bytes) -> dict[str, Any]:
    """The content of a file.

    Raises:
        NotToml: it is not UTF-8 or not TOML, too large, nested too deeply, or has a name or number of too many parts.
    """
    if len(data) > MAX_BYTES:
        raise NotToml(f"more than {MAX_BYTES} bytes")
    try:
        text = data.decode()
        if long := _LONG_NAME.search(text):
            line = text.count("\n", 0, long.start()) + 1
            raise NotToml(f"a name of more than {MAX_PARTS} parts (at line {line})")
        return tomllib.loads(text)
    except RecursionError:
        raise NotToml("nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, and of a number with thousands of digits
        raise NotToml(str(error)) from error
