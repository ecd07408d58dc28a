"""Contact sheets: the pictures of a batch side by side, each with prompt, index, seed and score. Blocking."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from agents.shared.picture import MAX_BYTES, Undecodable
from agents.shared.sandbox.pool import PARSERS
from agents.storage.sheet_font import Font, font_for
from agents.storage.text_fit import fit_lines

SHEET_NAME = "contact_sheet.png"

MAX_PICTURES = 100
"""Pictures on one sheet."""

CELL_SIDE = 256
"""Longest side of a thumbnail, in pixels."""

TITLE_LINES = 3
PROMPT_LINES = 2
MARGIN = 16

_CAPTION_HEIGHT = 82
_TITLE_SIZE, _TITLE_LEADING = 18, 24
_FACTS_SIZE, _FACTS_LEADING = 13, 19
_PROMPT_SIZE, _PROMPT_LEADING = 12, 16
_BACKGROUND_COLOUR = (250, 249, 246)
_TEXT_COLOUR = (40, 40, 44)
_MUTED_COLOUR = (120, 118, 112)
_BELOW_BAR_COLOUR = (196, 52, 44)


@dataclass(frozen=True)
class SheetFrame:
    """One picture of a sheet. `below_bar` marks the best candidate of a picture that failed, `swept` are the
    values that tell it from others of a sweep."""

    path: Path | None
    index: int
    seed: int
    score: float | None
    below_bar: bool
    prompt: str = ""
    swept: str = ""


def draw_sheet(title: str, frames: Sequence[SheetFrame], total: int, facts: Sequence[str] = ()) -> bytes:
    """A PNG file of at most `MAX_PICTURES` frames, of a batch that has `total` pictures; under the title stand `facts`,
    such as its date. What is wider than the sheet is cut off with an ellipsis."""
    shown = frames[:MAX_PICTURES]
    columns = min(10, math.ceil(math.sqrt(len(shown))))
    rows = math.ceil(len(shown) / columns)
    width = MARGIN + columns * (CELL_SIDE + MARGIN)
    said = [*facts, *([] if len(shown) == total else [f"the first {len(shown)} of {total} pictures"])]
    heading = [
        *_lines(title, _TITLE_SIZE, _TITLE_LEADING, width - 2 * MARGIN, TITLE_LINES, _TEXT_COLOUR),
        *_lines(" · ".join(said), _FACTS_SIZE, _FACTS_LEADING, width - 2 * MARGIN, 2, _MUTED_COLOUR),
    ]
    heading_height = MARGIN + sum(line.leading for line in heading) + MARGIN // 2
    height = heading_height + rows * (CELL_SIDE + _CAPTION_HEIGHT) + MARGIN
    sheet = Image.new("RGB", (width, height), _BACKGROUND_COLOUR)
    draw = ImageDraw.Draw(sheet)
    _draw_lines(draw, heading, MARGIN, MARGIN)
    for place, frame in enumerate(shown):
        row, column = divmod(place, columns)
        _draw_frame(
            sheet,
            draw,
            frame,
            MARGIN + column * (CELL_SIDE + MARGIN),
            heading_height + row * (CELL_SIDE + _CAPTION_HEIGHT),
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
    caption = f"#{frame.index}   {score}"
    font = font_for(caption, 14)
    draw.text((left, top + CELL_SIDE + 5), caption, fill=_TEXT_COLOUR, font=font)
    if frame.below_bar:
        draw.text(
            (left + CELL_SIDE, top + CELL_SIDE + 5), "below the bar", fill=_BELOW_BAR_COLOUR, font=font, anchor="ra"
        )
    prompt = _lines(frame.prompt, _PROMPT_SIZE, _PROMPT_LEADING, CELL_SIDE, PROMPT_LINES, _TEXT_COLOUR)
    facts = " · ".join(filter(None, (frame.swept, f"seed {frame.seed}")))
    seed = _lines(facts, _PROMPT_SIZE, _PROMPT_LEADING, CELL_SIDE, 1, _MUTED_COLOUR)
    _draw_lines(draw, [*prompt, *seed], left, top + CELL_SIDE + 25)


@dataclass(frozen=True)
class _Line:
    """A line of text. `leading` are the pixels from its top to that of the next."""

    text: str
    font: Font
    leading: int
    colour: tuple[int, int, int]


def _lines(text: str, size: int, leading: int, width: int, most: int, colour: tuple[int, int, int]) -> list[_Line]:
    font = font_for(text, size)
    return [_Line(line, font, leading, colour) for line in fit_lines(text, font.getlength, width, most)]


def _draw_lines(draw: ImageDraw.ImageDraw, lines: Sequence[_Line], left: int, top: int) -> None:
    for line in lines:
        draw.text((left, top), line.text, fill=line.colour, font=line.font)
        top += line.leading


def _thumbnail(path: Path | None) -> Image.Image | None:
    """The picture scaled to fit a cell; null where there is none that can be shown."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            picture = Image.fromarray(PARSERS.parse_blocking(file.read(MAX_BYTES + 1)).rgb)
    except (OSError, Undecodable):
        return None
    scale = CELL_SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)
