"""How a picture is cut into tiles that overlap, and with which weight each tile's pixels count. Pure module."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

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


def weights(span: Span, length: int, overlap: int) -> NDArray[np.float32]:
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
