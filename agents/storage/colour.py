"""The dominant colour of a picture, by name."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.shared.picture import Undecodable
from agents.shared.sandbox.made_picture import decode_made
from agents.storage.png import BrokenPng

NEUTRAL_WEIGHT = 0.25
"""The weight of a black, white or grey pixel beside a coloured one: people name a picture after its colour."""

_SIDE = 32
_NEUTRAL = frozenset({"black", "white", "grey"})

_SHADES: tuple[tuple[str, tuple[int, int, int]], ...] = (
    ("red", (208, 32, 38)),
    ("red", (130, 16, 22)),
    ("red", (235, 96, 92)),
    ("orange", (244, 128, 26)),
    ("orange", (248, 170, 96)),
    ("yellow", (248, 212, 40)),
    ("yellow", (255, 240, 150)),
    ("yellow", (190, 160, 20)),
    ("green", (52, 160, 62)),
    ("green", (24, 84, 34)),
    ("green", (144, 206, 130)),
    ("teal", (10, 140, 142)),
    ("teal", (4, 80, 84)),
    ("teal", (0, 224, 255)),
    ("teal", (150, 214, 214)),
    ("blue", (36, 84, 208)),
    ("blue", (16, 36, 110)),
    ("blue", (130, 170, 240)),
    ("purple", (112, 52, 176)),
    ("purple", (58, 24, 96)),
    ("purple", (176, 140, 220)),
    ("magenta", (222, 26, 150)),
    ("magenta", (254, 44, 84)),
    ("magenta", (140, 14, 92)),
    ("pink", (252, 166, 194)),
    ("pink", (244, 200, 214)),
    ("brown", (118, 70, 36)),
    ("brown", (70, 42, 22)),
    ("brown", (166, 118, 78)),
    ("cream", (245, 237, 217)),
    ("cream", (228, 212, 178)),
    ("white", (240, 240, 238)),
    ("white", (255, 255, 255)),
    ("grey", (200, 200, 200)),
    ("grey", (128, 128, 130)),
    ("grey", (70, 70, 74)),
    ("black", (30, 30, 34)),
    ("black", (0, 0, 0)),
)
"""Names and the sRGB values that stand for them; light and dark shades keep the name of their hue."""


def dominant_colour(data: bytes, provider: str) -> str:
    """The colour name that most of a PNG picture of `provider` has, measured on a thumbnail; neutral pixels count less.

    Raises:
        BrokenPng: the pixels cannot be decoded, or are more than a picture may have.
    """
    try:
        picture = decode_made(data, provider)
    except Undecodable as error:
        raise BrokenPng(f"the picture cannot be decoded: {error}") from error
    if picture.media_type != "image/png":
        raise BrokenPng("it is no PNG file")
    thumbnail = Image.fromarray(picture.rgb).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    pixels = _lab(np.asarray(thumbnail, dtype=np.float64).reshape(-1, 3))
    nearest = ((pixels[:, None, :] - _SHADES_LAB[None]) ** 2).sum(axis=2).argmin(axis=1)
    weights: dict[str, float] = {}
    for shade, count in enumerate(np.bincount(nearest, minlength=len(_SHADES))):
        name = _SHADES[shade][0]
        weights[name] = weights.get(name, 0.0) + int(count) * (NEUTRAL_WEIGHT if name in _NEUTRAL else 1.0)
    return max(weights, key=lambda name: weights[name])


def _lab(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB (D65) of sRGB values 0 to 255, shape (n, 3); equal distances look about equally different.

    Source: IEC 61966-2-1 and CIE 15.
    """
    linear = np.where(srgb <= 10.31475, srgb / 255 / 12.92, ((srgb / 255 + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    ratio = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    curve = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = curve.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


_SHADES_LAB = _lab(np.array([value for _, value in _SHADES], dtype=np.float64))
