"""What a terminal would carry out instead of showing, made visible. Pure module."""

import re

_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f"  # C0 but tab and line feed, and DEL
    "\x80-\x9f"  # C1, among it the eight-bit forms of escape sequences and the next line
    "\u2028\u2029"  # line and paragraph separators
    "\u202a-\u202e\u2066-\u2069"  # embeddings, overrides and isolates: text in another order than it is read
    "\ud800-\udfff"  # bytes of file names that are no text
    "]"
)


def show_control_characters(text: str) -> str:
    r"""The text with every character that acts on a terminal in the form `\u001b`. In JSON, which has such characters
    in strings alone, that is the same text."""
    return _ACTING.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found.group()):04x}"
