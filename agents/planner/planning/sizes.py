"""From what a client calls a size to pixels that a model can make. Pure module."""

import math
import re
from dataclasses import dataclass

from protocol.errors import BadCommand

ASPECTS = ("1:1", "16:9", "9:16", "4:5", "5:4", "1.91:1", "4:3", "3:4", "3:2", "2:3", "21:9")
"""Aspects that people ask for by name; any other `w:h` within `MAX_ASPECT` works as well."""

LONG_SIDES = {"1K": 1024, "2K": 2048, "4K": 4096}
"""Pixels of one side of the square that has the same area."""

MAX_ASPECT = 4.0
ASPECT_TOLERANCE = 0.05
"""An aspect within 5 % of a native size's is made at the native size, which the model was trained on."""

MAX_STRETCH = 1.2
"""Times a native side up to which a model draws one scene and not the same things again beside each other."""

MIN_AREA = 0.5
"""Part of a native area below which a model draws softly, or only a part of what it was asked for."""

MIN_SIDE = 16
MAX_SIDE = 16384

_PIXELS = re.compile(r"(\d{1,5})[ \t]*[xX×][ \t]*(\d{1,5})\Z", re.ASCII)
_ASPECT = re.compile(r"(\d{1,4}(?:\.\d{1,3})?):(\d{1,4}(?:\.\d{1,3})?)\Z", re.ASCII)


@dataclass(frozen=True)
class SizeWish:
    """What was asked for: an aspect, and pixels where they were named."""

    aspect: float
    width: int | None = None
    height: int | None = None
    side: int | None = None


@dataclass(frozen=True)
class Limits:
    """What a model can make. Sizes are pixels; a native size is one that it was trained on."""

    native_sizes: tuple[tuple[int, int], ...]
    max_pixels: int
    multiple_of: int


def parse(text: str) -> SizeWish:
    """The wish behind `WxH`, an aspect or `1K`, `2K`, `4K`.

    Raises:
        BadCommand: none of them, or sides and aspects beyond the bounds.
    """
    if side := LONG_SIDES.get(text.strip(" ").upper()):
        return SizeWish(aspect=1.0, side=side)
    if match := _PIXELS.match(text.strip(" ")):
        width, height = int(match[1]), int(match[2])
        if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
            raise _bad_size(text, f"sides must be {MIN_SIDE} to {MAX_SIDE} pixels")
        return SizeWish(aspect=_check_aspect(text, width / height), width=width, height=height)
    if match := _ASPECT.match(text.strip(" ")):
        across, down = float(match[1]), float(match[2])
        if across == 0 or down == 0:
            raise _bad_size(text, "an aspect has two positive numbers")
        return SizeWish(aspect=_check_aspect(text, across / down))
    raise _bad_size(text, "this is no size")


def fit(wish: SizeWish | None, limits: Limits) -> tuple[tuple[int, int], str | None]:
    """(width, height) that the model makes, and what of the wish was not honoured, or null."""
    native = nearest_native(wish.aspect if wish else 1.0, limits)
    if wish is None:
        return native, None
    if (
        wish.width is None
        and wish.side is None
        and abs(math.log(native[0] / native[1] / wish.aspect)) < ASPECT_TOLERANCE
    ):
        return native, None
    if wish.width is not None and wish.height is not None:
        wanted = (wish.width, wish.height)
    else:
        area = wish.side**2 if wish.side else native[0] * native[1]
        wanted = (math.sqrt(area * wish.aspect), math.sqrt(area / wish.aspect))
    shrink = min(1.0, math.sqrt(limits.max_pixels / (wanted[0] * wanted[1])))
    size = (_round_to_multiple(wanted[0] * shrink, limits), _round_to_multiple(wanted[1] * shrink, limits))
    while size[0] * size[1] > limits.max_pixels:
        size = (
            (max(size[0] - limits.multiple_of, limits.multiple_of), size[1])
            if size[0] >= size[1]
            else (
                size[0],
                max(size[1] - limits.multiple_of, limits.multiple_of),
            )
        )
    named = wish.width is not None or wish.side is not None
    if named and (size[0] != round(wanted[0]) or size[1] != round(wanted[1])):
        return size, f"resolution: {round(wanted[0])}x{round(wanted[1])} is made at {size[0]}x{size[1]}"
    return size, None


def off_native_note(size: tuple[int, int], limits: Limits, model: str, *, led: bool) -> str | None:
    """What a model does at a size that it was not trained on; null where that is near enough to a native one. Where it
    is `led` by a picture, what is shown comes from that, and nothing is repeated."""
    native = nearest_native(size[0] / size[1], limits)
    made, known = f"{size[0]}x{size[1]}", f"{native[0]}x{native[1]}"
    if not led and (size[0] > native[0] * MAX_STRETCH or size[1] > native[1] * MAX_STRETCH):
        return f"{made} is larger than {known}, the native size of {model}: it repeats things there"
    if size[0] * size[1] < native[0] * native[1] * MIN_AREA:
        return f"{made} is much smaller than {known}, the native size of {model}: pictures are soft, or things cropped"
    return None


def true_name(text: str, size: tuple[int, int]) -> str:
    """What a size may be called in a file's name: as it was asked for where it came out like that, else its pixels. An
    empty text asks for nothing."""
    if not text:
        return f"{size[0]}x{size[1]}"
    wish = parse(text)
    if wish.side is not None:
        kept = size[0] == size[1] == wish.side
    elif wish.width is not None:
        kept = size == (wish.width, wish.height)
    else:
        kept = abs(math.log(size[0] / size[1] / wish.aspect)) < ASPECT_TOLERANCE
    return text if kept else f"{size[0]}x{size[1]}"


def nearest_native(aspect: float, limits: Limits) -> tuple[int, int]:
    """The native size whose aspect is nearest, on a logarithmic scale so that wide and tall weigh the same."""
    return min(limits.native_sizes, key=lambda size: abs(math.log(size[0] / size[1]) - math.log(aspect)))


def _round_to_multiple(side: float, limits: Limits) -> int:
    return max(limits.multiple_of, round(side / limits.multiple_of) * limits.multiple_of)


def _check_aspect(text: str, aspect: float) -> float:
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        raise _bad_size(text, f"one side may be at most {MAX_ASPECT:g} times the other")
    return aspect


def _bad_size(text: str, why: str) -> BadCommand:
    return BadCommand(
        "invalid_value",
        f"resolution {text[:32]!r}: {why}",
        path="$.requirements.resolution",
        hint=f"WxH in pixels, an aspect ({', '.join(ASPECTS[:6])}, …) or {', '.join(LONG_SIDES)}",
    )
