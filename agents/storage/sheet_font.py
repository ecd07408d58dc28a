"""The font that a text of a contact sheet is drawn in: Pillow's own, or one of this machine for other scripts."""

from functools import cache
from typing import Any

from PIL import ImageFont

SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial Unicode.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "Hiragino Sans GB.ttc",
    "msyh.ttc",
    "wqy-microhei.ttc",
)
"""Fonts of usual systems, tried in turn for what Pillow's has no glyphs for."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_NO_CHARACTER = "\uffff"


def font_for(text: str, size: int) -> Font:
    """The first font that has every character of the text; Pillow's own, which shows boxes, where none does."""
    own = _own_font(size)
    characters = frozenset(character for character in text if not character.isspace())
    if has_glyphs(own, characters):
        return own
    fonts = (_system_font(name, size) for name in SYSTEM_FONTS)
    return next((font for font in fonts if font is not None and has_glyphs(font, characters)), own)


def has_glyphs(font: Font, characters: frozenset[str]) -> bool:
    """Whether a font draws each of these characters by something else than its sign for a missing one."""
    missing = _pixels(font, _NO_CHARACTER)
    return all(character.isascii() or _pixels(font, character) != missing for character in characters)


def _pixels(font: Font, character: str) -> bytes:
    mask: Any = font.getmask(character)
    return bytes(mask)


@cache
def _own_font(size: int) -> Font:
    return ImageFont.load_default(size)


@cache
def _system_font(name: str, size: int) -> Font | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None
