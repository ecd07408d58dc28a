"""A picture with the colours of another: mean and spread of each channel in CIE Lab (E. Reinhard et al., Color Transfer
between Images, 2001, there in lαβ). Pure module; pixels are `uint8` of shape (height, width, 3), sRGB."""

import numpy as np
from numpy.typing import NDArray

from agents.shared.picture import Rgb

Lab = NDArray[np.float32]
"""L, a, b along the last axis."""

BAND_ROWS = 256
"""Rows that are converted at once, so that large pictures take little memory."""

MAX_SAMPLED_SIDE = 1024
"""Pixels along a side that are looked at to know a picture's colours."""

MIN_SPREAD = 1e-3
"""Spread of a channel, in units of Lab, below which there is nothing to widen."""

_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""Linear sRGB to XYZ under D65 (IEC 61966-2-1)."""
_WHITE = _TO_XYZ.sum(axis=1)
_LAB_DELTA = 6 / 29
"""Where the cube root of Lab goes over into a straight line (CIE 15)."""


def transfer_colours(picture: Rgb, towards: Rgb, strength: float) -> Rgb:
    """A picture whose colours have the mean and the spread of those of `towards`; `strength`, 0 to 1, is how far."""
    mean, spread = _statistics(picture)
    wanted_mean, wanted_spread = _statistics(towards)
    gain = np.where(spread < MIN_SPREAD, 1, wanted_spread / np.maximum(spread, MIN_SPREAD))
    scale = (1 + strength * (gain - 1)).astype(np.float32)
    shift = (strength * (wanted_mean - mean * gain)).astype(np.float32)
    made = np.empty_like(picture)
    for top in range(0, len(picture), BAND_ROWS):
        made[top : top + BAND_ROWS] = _to_rgb(_to_lab(picture[top : top + BAND_ROWS]) * scale + shift)
    return made


def _statistics(picture: Rgb) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel."""
    every = max(1, -(-max(picture.shape) // MAX_SAMPLED_SIDE))
    lab = _to_lab(picture[::every, ::every]).reshape(-1, 3).astype(np.float64)
    return lab.mean(axis=0), lab.std(axis=0)


def _to_lab(picture: Rgb) -> Lab:
    levels = np.arange(256) / 255
    linear: Lab = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)
    relative: Lab = linear[picture] @ (_TO_XYZ / _WHITE[:, None]).T.astype(np.float32)
    root: Lab = np.where(relative > _LAB_DELTA**3, np.power(relative, 1 / 3), relative / (3 * _LAB_DELTA**2) + 4 / 29)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def _to_rgb(lab: Lab) -> Rgb:
    y = (lab[..., 0] + 16) / 116
    root = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    relative = np.where(root > _LAB_DELTA, root**3, 3 * _LAB_DELTA**2 * (root - 4 / 29))
    linear: Lab = np.clip(relative @ (np.linalg.inv(_TO_XYZ) * _WHITE).T.astype(np.float32), 0, 1)
    levels = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(levels * 255).astype(np.uint8)
