"""A picture that a job names: from its blob to pixels, within bounds, and no more of them than will be looked at."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from PIL import Image

from agents.shared.picture import MAX_BYTES, MAX_PIXELS, Rgb, Undecodable
from agents.shared.sandbox.pool import PARSERS
from bus.blobs import BlobMissing, Blobs
from protocol.errors import AcpError


class _VisionConfig(msgspec.Struct):
    """What a CLIP vision model's `config.json` says; the default is transformers'. The file of a whole CLIP model has
    it in a part."""

    image_size: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 224
    vision_config: "_VisionConfig | None" = None


async def load_pixels(blobs: Blobs, blob: str, path: str, encoder: Path | None = None) -> Rgb:
    """A picture of the blob store; `path` is where the job names it. Only what the CLIP vision model in the folder
    `encoder` would look at, where there is one: pictures that wait for the device are small then.

    Raises:
        AcpError: the blob is not there, which may work later; or it is no picture, or larger than one may be.
    """
    try:
        data = await blobs.get(blob, limit=MAX_BYTES)
        rgb = (await PARSERS.parse(data)).rgb
        return await asyncio.to_thread(_crop_for, rgb, encoder)
    except BlobMissing as error:
        raise AcpError(
            "pixels_missing",
            f"a picture that this one is made from is missing: {error}",
            path=path,
            hint="all agents must use one blob store; if it was removed, order anew: bottega generate --image FILE",
            retryable=True,
        ) from error
    except Undecodable as error:
        raise AcpError("invalid_value", f"the reference picture {blob} cannot be used: {error}", path=path) from error


def crop_for_encoder(rgb: Rgb, side: int) -> Rgb:
    """The square of `side` pixels that a CLIP vision model is shown of a picture: its shorter side fills it, what
    stands over is cut off. As transformers' `CLIPImageProcessorPil`, which leaves such a square as it is.

    Raises:
        Undecodable: the picture is so narrow that its longer side would be too long.
    """
    height, width, _ = rgb.shape
    wide, high = (side, int(side * height / width)) if width <= height else (int(side * width / height), side)
    if wide * high > MAX_PIXELS:
        raise Undecodable("too_large", f"{width}x{height} pixels are too narrow to be looked at")
    scaled = np.asarray(Image.fromarray(rgb).resize((wide, high), Image.Resampling.BICUBIC))
    top, left = (high - side) // 2, (wide - side) // 2
    return scaled[top : top + side, left : left + side].copy()


def _crop_for(rgb: Rgb, encoder: Path | None) -> Rgb:
    side = _encoder_side(encoder) if encoder is not None else None
    return rgb if side is None else crop_for_encoder(rgb, side)


def _encoder_side(encoder: Path) -> int | None:
    """Pixels of the side of what a vision model looks at; null where its folder does not tell, for whoever loads it to
    say what is wrong."""
    try:
        said = msgspec.json.decode((encoder / "config.json").read_bytes(), type=_VisionConfig)
    except (OSError, msgspec.DecodeError):
        return None
    return (said.vision_config or said).image_size
