"""Colours of input pictures by the profile that they carry, converted to sRGB. Blocking; bytes in, pixels out."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""The largest profiles in use, those of presses, have 3 MB."""

SAME_LEVELS = 3
"""Levels of 255 by which a profile may differ from sRGB and still be taken for it: the pixels stay as they are."""

_LCMS_ERRORS = (ImageCms.PyCMSError, OSError, ValueError, TypeError)
"""What lcms says of a profile that it cannot use."""

_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
"""Pillow's mode by the colour space in a profile's header (ICC.1:2022, 7.2.8)."""


@dataclass(frozen=True)
class SrgbTransform:
    """How RGB, L or CMYK pictures of one profile become sRGB."""

    mode: str
    transform: ImageCms.ImageCmsTransform

    def convert(self, image: Image.Image) -> Image.Image | None:
        """The picture as sRGB; null where lcms cannot."""
        try:
            return ImageCms.applyTransform(image.convert(self.mode), self.transform)
        except _LCMS_ERRORS:
            return None


def srgb_transform(profile: bytes, *, cmyk: bool) -> SrgbTransform | None:
    """What makes CMYK pictures, or those of any other mode, sRGB by their ICC profile; null where they are sRGB
    already, or the profile is broken or not about such pixels."""
    mode = _MODES.get(profile[16:20])
    if len(profile) > MAX_PROFILE_BYTES or mode is None or (mode == "CMYK") != cmyk:
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        return None if not cmyk and _is_srgb(transform, mode) else SrgbTransform(mode, transform)
    except _LCMS_ERRORS:
        return None


def _is_srgb(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform leaves colours from all over the space where they are."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    red, green, blue = np.meshgrid(levels, levels, levels)
    before = np.stack([red.ravel(), green.ravel(), blue.ravel()], axis=1)[None]
    if mode == "L":
        before = np.repeat(levels[None, :, None], 3, axis=2)
    probe = Image.fromarray(before) if mode == "RGB" else Image.fromarray(before[:, :, 0])
    after = np.asarray(ImageCms.applyTransform(probe, transform)).astype(np.int16)
    return bool(np.abs(after - before).max() <= SAME_LEVELS)
