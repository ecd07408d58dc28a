"""Where pictures lie in a picture that is made from them: scaled to fill it, placed with a border around, pasted back
over what was made. Pure module; pixels are `uint8` of shape (height, width, 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from agents.picture import Rgb

Anew = NDArray[np.float32]
"""How much of each pixel is made anew, 0 to 1, shape (height, width)."""


@dataclass(frozen=True)
class Start:
    """What denoising starts from, of the size of the picture. `anew` null is all of it."""

    rgb: Rgb
    strength: float
    anew: Anew | None = None


def filling(rgb: Rgb, width: int, height: int) -> Rgb:
    """A picture that fills a size: as it is where it has it, else scaled, and cropped around its middle."""
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(ImageOps.fit(Image.fromarray(rgb), (width, height), Image.Resampling.LANCZOS))


def placed(rgb: Rgb, box: tuple[int, int, int, int], width: int, height: int) -> tuple[Rgb, Anew]:
    """A picture in a larger one, at `box` (left, top, width, height); its border goes on outwards, to be made anew.

    Raises:
        ValueError: the box is not inside of the larger picture.
    """
    left, top, across, down = box
    right, bottom = width - left - across, height - top - down
    if min(left, top, right, bottom) < 0 or min(across, down) < 1:
        raise ValueError(f"a picture at {left}, {top} of {across}x{down} is not inside of {width}x{height}")
    around = ((top, bottom), (left, right))
    anew = np.pad(np.zeros((down, across), np.float32), around, constant_values=1)
    return np.pad(filling(rgb, across, down), (*around, (0, 0)), mode="edge"), anew


def anew_by(mask: Rgb, width: int, height: int) -> Anew:
    """The part to make anew by a mask's brightness; black is none and white all."""
    return filling(mask, width, height).astype(np.float32).mean(2) / 255


def pasted(made: Rgb, start: Start) -> Rgb:
    """What was made, with what was to stay over it: black of the mask keeps every bit, grey mixes."""
    if start.anew is None:
        return made
    anew = start.anew[..., None]
    mixed = np.rint(start.rgb * (1 - anew) + made * anew).astype(np.uint8)
    return np.where(anew == 0, start.rgb, mixed)
