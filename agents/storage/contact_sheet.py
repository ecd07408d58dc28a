"""Contact sheets: the pictures of a batch side by side, each with index, seed and score. Blocking."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SHEET_NAME = "contact_sheet.png"

MAX_PICTURES = 100
"""Pictures on one sheet."""

CELL_SIDE = 256
"""Longest side of a thumbnail, in pixels."""

MAX_PIXELS = 64 * 1024 * 1024
"""Largest picture that is decoded for a thumbnail."""

_MARGIN = 16
_CAPTION_HEIGHT = 44
_HEADING_HEIGHT = 48
_BACKGROUND_COLOUR = (250, 249, 246)
_TEXT_COLOUR = (40, 40, 44)
_MUTED_COLOUR = (120, 118, 112)
_BELOW_BAR_COLOUR = (196, 52, 44)


@dataclass(frozen=True)
class SheetFrame:
    """One picture of a sheet. `below_bar` marks the best candidate of a picture that failed."""

    path: Path | None
    index: int
    seed: int
    score: float | None
    below_bar: bool


def draw_sheet(title: str, frames: Sequence[SheetFrame], total: int) -> bytes:
    """A PNG file of at most `MAX_PICTURES` frames, of a batch that has `total` pictures."""
    shown = frames[:MAX_PICTURES]
    columns = min(10, math.ceil(math.sqrt(len(shown))))
    rows = math.ceil(len(shown) / columns)
    width = _MARGIN + columns * (CELL_SIDE + _MARGIN)
    height = _HEADING_HEIGHT + rows * (CELL_SIDE + _CAPTION_HEIGHT) + _MARGIN
    sheet = Image.new("RGB", (width, height), _BACKGROUND_COLOUR)
    draw = ImageDraw.Draw(sheet)
    count = f"{total} pictures" if len(shown) == total else f"the first {len(shown)} of {total} pictures"
    draw.text((_MARGIN, 15), title, fill=_TEXT_COLOUR, font=ImageFont.load_default(18))
    draw.text((width - _MARGIN, 19), count, fill=_MUTED_COLOUR, font=ImageFont.load_default(13), anchor="ra")
    for place, frame in enumerate(shown):
        row, column = divmod(place, columns)
        _draw_frame(
            sheet,
            draw,
            frame,
            _MARGIN + column * (CELL_SIDE + _MARGIN),
            _HEADING_HEIGHT + row * (CELL_SIDE + _CAPTION_HEIGHT),
        )
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _draw_frame(sheet: Image.Image, draw: ImageDraw.ImageDraw, frame: SheetFrame, left: int, top: int) -> None:
    thumbnail = _thumbnail(frame.path)
    if thumbnail is None:
        draw.rectangle((left, top, left + CELL_SIDE, top + CELL_SIDE), outline=_MUTED_COLOUR)
        draw.text((left + CELL_SIDE // 2, top + CELL_SIDE // 2), "no file", fill=_MUTED_COLOUR, anchor="mm")
    else:
        sheet.paste(thumbnail, (left + (CELL_SIDE - thumbnail.width) // 2, top + (CELL_SIDE - thumbnail.height) // 2))
    score = "not scored" if frame.score is None else f"score {frame.score:.2f}"
    caption, font = f"#{frame.index}   {score}", ImageFont.load_default(14)
    draw.text((left, top + CELL_SIDE + 5), caption, fill=_TEXT_COLOUR, font=font)
    if frame.below_bar:
        draw.text(
            (left + CELL_SIDE, top + CELL_SIDE + 5), "below the bar", fill=_BELOW_BAR_COLOUR, font=font, anchor="ra"
        )
    draw.text((left, top + CELL_SIDE + 23), f"seed {frame.seed}", fill=_MUTED_COLOUR, font=ImageFont.load_default(12))


def _thumbnail(path: Path | None) -> Image.Image | None:
    """The picture scaled to fit a cell; null where there is none that can be shown."""
    if path is None:
        return None
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            scale = CELL_SIDE / max(picture.size)
            size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            return picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
