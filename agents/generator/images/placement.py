"""Source pictures in the picture that is made from them: scaled to fill it, placed with a border around, pasted back
over the result. Pure module; pixels are `uint8` of shape (height, width, 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from agents.shared.picture import Rgb

RepaintMask = NDArray[np.float32]
"""How much of each pixel is made anew, 0 to 1, shape (height, width)."""

FACE_MARGIN = 1.3
"""The side of the square that a network for faces is given, by the face's: hair, chin and a little around them."""

FACE_FADE = 0.125
"""Part of that square's side over which what was made fades into the picture."""


@dataclass(frozen=True)
class StartImage:
    """What denoising starts from, in the size of the picture. Without a `repaint_mask` all of it is made anew."""

    rgb: Rgb
    strength: float
    repaint_mask: RepaintMask | None = None


def fit_to_size(rgb: Rgb, width: int, height: int) -> Rgb:
    """A picture that fills a size: as it is where it has it, else scaled, and cropped around its middle."""
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(ImageOps.fit(Image.fromarray(rgb), (width, height), Image.Resampling.LANCZOS))


def pad_to_size(rgb: Rgb, box: tuple[int, int, int, int], width: int, height: int) -> tuple[Rgb, RepaintMask]:
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
    return np.pad(fit_to_size(rgb, across, down), (*around, (0, 0)), mode="edge"), anew


def repaint_mask_of(mask: Rgb, width: int, height: int) -> RepaintMask:
    """The part to make anew by a mask's brightness; black is none and white all."""
    return fit_to_size(mask, width, height).astype(np.float32).mean(2) / 255


def composite(made: Rgb, start: StartImage) -> Rgb:
    """What was made, with what was to stay over it: black of the mask keeps every bit, grey mixes."""
    if start.repaint_mask is None:
        return made
    anew = start.repaint_mask[..., None]
    mixed = np.rint(start.rgb * (1 - anew) + made * anew).astype(np.uint8)
    return np.where(anew == 0, start.rgb, mixed)


def face_square(face: Sequence[float], width: int, height: int) -> tuple[int, int, int]:
    """The square around a face, which is left, top, width and height as parts of a picture: its left, top and side in
    pixels. It has the face's larger side and a margin, and lies inside of the picture."""
    across, down = face[2] * width, face[3] * height
    side = min(max(1, round(max(across, down) * FACE_MARGIN)), width, height)
    left = round((face[0] * width) + across / 2 - side / 2)
    top = round((face[1] * height) + down / 2 - side / 2)
    return min(max(0, left), width - side), min(max(0, top), height - side), side


def crop_square(rgb: Rgb, square: tuple[int, int, int], side: int | None) -> Rgb:
    """A square of a picture, (left, top, side) in pixels, scaled to another side; as it is where that is null."""
    left, top, size = square
    part = rgb[top : top + size, left : left + size]
    return part if side is None else fit_to_size(part, side, side)


def blend_square(rgb: Rgb, part: Rgb, square: tuple[int, int, int], strength: float) -> Rgb:
    """A picture with another one scaled into a square of it, fading towards its rim; `strength`, 0 to 1, is how much of
    it is taken in the middle."""
    left, top, side = square
    centres = (np.arange(side, dtype=np.float32) + 0.5) / side
    ramp = np.clip(np.minimum(centres, 1 - centres) / FACE_FADE, 0, 1)
    share = (np.outer(ramp, ramp) * strength)[..., None]
    place = np.s_[top : top + side, left : left + side]
    made = rgb.copy()
    made[place] = np.rint(rgb[place] * (1 - share) + fit_to_size(part, side, side) * share).astype(np.uint8)
    return made
