"""Edges of a picture by Canny's method (J. Canny, A Computational Approach to Edge Detection, 1986), in numpy alone,
and how well two pictures' edges agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Plane = NDArray[np.floating[Any]]

SIGMA = 1.0
LOW_THRESHOLD, HIGH_THRESHOLD = 0.04, 0.11
"""Changes of brightness (0 to 1) per pixel of the blurred picture: edges begin above HIGH and go on above LOW."""


def canny(picture: NDArray[np.uint8]) -> Mask:
    """Where a picture of (height, width, 3) bytes has edges, one pixel wide.

    Of the three colours the one with the steepest slope counts at each pixel.
    """
    planes = np.moveaxis(_blur(picture.astype(np.float32) / 255), -1, 0)
    dy, dx = np.stack([np.gradient(plane) for plane in planes], 1)
    steepest = np.hypot(dx, dy).argmax(0)[None]
    dy, dx = (np.take_along_axis(d, steepest, 0)[0] for d in (dy, dx))
    slope = np.hypot(dx, dy)
    ridge = slope * (slope >= _neighbour_slope(slope, dx, dy))
    return hysteresis(ridge > HIGH_THRESHOLD, ridge > LOW_THRESHOLD)


def edge_f_score(asked: Mask, found: Mask, within: int = 2) -> float:
    """The F-score of detected edges against the requested ones. An edge counts if one of the other kind lies at most
    `within` pixels away; the score is 0 if either kind is empty."""
    if not asked.any() or not found.any():
        return 0.0
    precision = float(dilate(asked, within)[found].mean())
    recall = float(dilate(found, within)[asked].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def dilate(mask: Mask, by: int) -> Mask:
    """A mask with every pixel that lies within `by` pixels of it, also diagonally."""
    for axis in (0, 1):
        for _ in range(by):
            padded = np.pad(mask, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
            before, after = np.delete(padded, (-2, -1), axis), np.delete(padded, (0, 1), axis)
            mask = mask | before | after
    return mask


def hysteresis(strong: Mask, weak: Mask) -> Mask:
    """Weak pixels that are connected to strong ones, also diagonally."""
    found, free = np.pad(strong & weak, 1), np.pad(weak, 1)
    flat, open_ = found.reshape(-1), (free & ~found).reshape(-1)
    around = np.array([down * found.shape[1] + right for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right])
    edge = np.flatnonzero(flat)
    while edge.size:
        # Only what was found last can have neighbours that are new.
        beside = np.unique((edge[:, None] + around).reshape(-1))
        edge = beside[open_[beside]]
        flat[edge], open_[edge] = True, False
    return found[1:-1, 1:-1]


def _blur(picture: Plane) -> Plane:
    reach = np.arange(-3, 4)
    weights = np.exp(-(reach**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(picture, [(3, 3) if a == axis else (0, 0) for a in range(picture.ndim)], mode="edge")
        size = picture.shape[axis]
        picture = sum(w * np.take(padded, np.arange(k, k + size), axis) for k, w in enumerate(weights))  # type: ignore[assignment]
    return picture


def _neighbour_slope(slope: Plane, dx: Plane, dy: Plane) -> Plane:
    """The greater slope of the two neighbours across the edge, its direction rounded to eighths of a turn."""
    padded = np.pad(slope, 1)
    height, width = slope.shape

    def at(down: int, right: int) -> Plane:
        return padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]

    eighth = np.round(np.arctan2(dy, dx) / (np.pi / 4)).astype(int) % 4
    pairs = [np.maximum(at(d, r), at(-d, -r)) for d, r in ((0, 1), (1, 1), (1, 0), (1, -1))]
    return np.choose(eighth, pairs)
