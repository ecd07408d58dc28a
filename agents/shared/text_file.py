"""The text of a file that a person wrote, whichever editor saved it. Pure module."""

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order marks, of which one begins another's: the longer before the shorter."""


def decode_text(data: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark, or in UTF-16 or UTF-32 with one.

    Raises:
        UnicodeDecodeError: it is in another encoding.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    return data.decode()


def decode_json_text(data: bytes) -> str:
    """The same for JSON, which begins with an ASCII character: UTF-16 is known without a mark too.

    Raises:
        UnicodeDecodeError: it is in another encoding.
    """
    begin = data[:4]
    if len(begin) >= 2 and begin.count(0) <= 2:
        if begin[0] == 0 and begin[1] != 0:
            return data.decode("utf-16-be")
        if begin[0] != 0 and begin[1] == 0:
            return data.decode("utf-16-le")
    return decode_text(data)
