"""Whether a reference is already the map that a ControlNet follows, judged by its looks. Pure module.

A photograph taken for a map, or a map prepared a second time, would give pictures that follow nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from agents.generator.control import openpose
from agents.generator.control.ade20k import PALETTE
from agents.shared.picture import Rgb
from protocol.parameters import ControlKind

MAX_COLOUR_SHIFT = 12
"""Steps of 255 by which JPEG moves a flat colour."""
MIN_SHARE = 0.9
"""Part of the pixels that must look the part; edges between regions never do after JPEG."""


def is_map(kind: ControlKind, picture: Rgb) -> bool:
    """Whether a picture, (height, width, 3), is a map of that kind."""
    pixels = picture.astype(np.int16)
    bright = pixels.mean(2)
    black, white = bright < 4 * MAX_COLOUR_SHIFT, bright > 255 - 4 * MAX_COLOUR_SHIFT
    match kind:
        case "canny":
            return _is_grey(pixels) and _is_most(black | white) and 0.001 < float(white.mean()) < 0.4
        case "depth":
            between = float((black | white).mean()) < MIN_SHARE and len(np.unique(pixels[..., 0])) > 32
            return _is_grey(pixels) and between and _is_smooth(pixels[..., 0])
        case "normal":
            length = np.linalg.norm(pixels / 127.5 - 1, axis=2)
            # Surfaces that are seen look at the camera: blue above its middle.
            return _is_most(abs(length - 1) < 0.25) and _is_most(pixels[..., 2] > 120) and not _is_grey(pixels)
        case "pose":
            drawn = pixels.max(2) >= 4 * MAX_COLOUR_SHIFT
            figures = _has_colour(pixels[drawn], openpose.MAP_COLOURS, 4 * MAX_COLOUR_SHIFT)
            return 0.001 < float(drawn.mean()) < 0.4 and float(figures.mean()) > 0.7
        case "segmentation":
            height, width, _ = pixels.shape
            grid = pixels[:: max(1, height // 64), :: max(1, width // 64)].reshape(-1, 3)
            return _is_flat(pixels) and _is_most(_has_colour(grid, PALETTE, MAX_COLOUR_SHIFT))


def _is_most(where: NDArray[np.bool_]) -> bool:
    return float(where.mean()) >= MIN_SHARE


def _is_grey(pixels: NDArray[np.int16]) -> bool:
    return _is_most(np.ptp(pixels, axis=2) <= MAX_COLOUR_SHIFT)


def _is_smooth(plane: NDArray[np.int16]) -> bool:
    """Whether most neighbours differ little; a photograph in grey has texture everywhere."""
    return all(_is_most(abs(np.diff(plane, axis=axis)) <= MAX_COLOUR_SHIFT // 2) for axis in (0, 1))


def _is_flat(pixels: NDArray[np.int16]) -> bool:
    """Whether most neighbours are of one colour."""
    return all(_is_most(abs(np.diff(pixels, axis=axis)).max(2) <= MAX_COLOUR_SHIFT) for axis in (0, 1))


def _has_colour(pixels: NDArray[np.int16], colours: Sequence[tuple[int, int, int]], by: int) -> NDArray[np.bool_]:
    """Which of some pixels, (count, 3), have one of the colours."""
    found = np.zeros(len(pixels), np.bool_)
    for colour in colours:
        found |= abs(pixels - np.array(colour, np.int16)).max(1) <= by
    return found
