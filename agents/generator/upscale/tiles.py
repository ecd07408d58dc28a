"""A picture made tile by tile: how it is cut, with which weight each tile's pixels count, and the whole without seams.
Pure module."""

from collections.abc import Callable
from math import ceil

import numpy as np
from numpy.typing import NDArray

from agents.shared.picture import Rgb

Span = tuple[int, int]
"""First pixel, and the one after the last."""


def spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Tiles of `tile` pixels that cover `length` and share at least `overlap` with the next, evenly spread; one shorter
    tile where all fits into it. `overlap` is less than `tile`."""
    if length <= tile:
        return [(0, length)]
    count = 1 + ceil((length - tile) / (tile - overlap))
    starts = [round(place * (length - tile) / (count - 1)) for place in range(count)]
    return [(start, start + tile) for start in starts]


def tile_weights(span: Span, length: int, overlap: int) -> NDArray[np.float32]:
    """The weight of each pixel of a tile along one side: 1 inside, falling over the middle half of the overlap, 0 in
    the outer quarter, where a network misses what lies beyond the tile. The picture's own edges keep 1."""
    begin, end = span
    size = end - begin
    centres = np.arange(size, dtype=np.float32) + 0.5
    weight = np.ones(size, np.float32)
    if overlap and begin > 0:
        weight = np.minimum(weight, (centres - overlap / 4) / (overlap / 2))
    if overlap and end < length:
        weight = np.minimum(weight, (size - centres - overlap / 4) / (overlap / 2))
    return np.clip(weight, 0, 1).astype(np.float32)


def process_in_tiles(
    picture: Rgb, scale: int, tile: int, overlap: int, make: Callable[[Rgb], NDArray[np.float32]]
) -> Rgb:
    """A picture `scale` times as wide and as high, of what `make` makes of each tile: (height, width, 3), about 0 to 1.

    Raises:
        Whatever `make` raises.
    """
    height, width, _ = picture.shape
    total = np.zeros((height * scale, width * scale, 3), np.float32)
    weight = np.zeros(total.shape[:2], np.float32)
    for top, bottom in spans(height, tile, overlap):
        for left, right in spans(width, tile, overlap):
            part = make(picture[top:bottom, left:right])
            share = np.outer(
                *(
                    tile_weights((begin * scale, end * scale), length * scale, overlap * scale)
                    for begin, end, length in ((top, bottom, height), (left, right, width))
                )
            )
            place = np.s_[top * scale : bottom * scale, left * scale : right * scale]
            total[place] += part * share[..., None]
            weight[place] += share
    # In place: of the largest picture that may be, this is 400 MB.
    total /= weight[..., None]
    total *= 255
    return total.round(out=total).clip(0, 255, out=total).astype(np.uint8)


def repaint_in_tiles(picture: Rgb, tile: int, overlap: int, make: Callable[[Rgb], Rgb]) -> Rgb:
    """A picture whose tiles are made anew in turn, row by row, each of what is there by then, so that it goes on from
    its neighbours; where they overlap it fades in.

    Raises:
        Whatever `make` raises.
    """
    made = picture.copy()
    rows, columns = spans(picture.shape[0], tile, overlap), spans(picture.shape[1], tile, overlap)
    for row, (top, bottom) in enumerate(rows):
        for column, (left, right) in enumerate(columns):
            place = np.s_[top:bottom, left:right]
            part = make(made[place].copy())
            share = np.outer(_fade_in_weights(rows, row), _fade_in_weights(columns, column))[..., None]
            made[place] = np.rint(made[place] * (1 - share) + part * share).astype(np.uint8)
    return made


def _fade_in_weights(cut: list[Span], number: int) -> NDArray[np.float32]:
    """The weight of each pixel of a tile along one side: rising where the one before reaches into it, 1 after that."""
    begin, end = cut[number]
    shared = cut[number - 1][1] - begin if number else 0
    centres = np.arange(end - begin, dtype=np.float32) + 0.5
    return np.clip(centres / shared, 0, 1).astype(np.float32) if shared else np.ones_like(centres)
