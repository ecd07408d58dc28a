"""From a stranger's bytes to pixels: three formats, bounded bytes and pixels, checked to the last chunk.

Pixels are `uint8` RGB arrays of shape (height, width, 3). Pure: bytes in, array out.
"""

import struct
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

Rgb = NDArray[np.uint8]
"""Pixels, shape (height, width, 3), sRGB."""

FORMATS = ("PNG", "JPEG", "WEBP")
"""Decoders that may run; Pillow's others stay off."""

MAX_BYTES = 64 * 1024 * 1024
"""A 16-megapixel PNG of noise is 48 MB."""

MAX_PIXELS = 32_000_000
"""The largest size a platform offers is 4K (4096×4096, 17 million); twice that is 96 MB of RGB."""

MAX_SIDE = 16_384
"""WebP's own bound is 16383."""

Fault = Literal["too_large", "unknown_format", "broken"]


class Undecodable(ValueError):
    """The bytes are not a picture that may be judged; `fault` is a short code, the message says what was found."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True)
class DecodedPicture:
    """A picture and the media type its bytes really have."""

    rgb: Rgb
    media_type: str

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


def media_type_of(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> str:
    """The media type of a picture whose size and chunks are in order; its pixels are not decoded.

    Raises:
        Undecodable: `too_large`, `unknown_format`, or `broken`.
    """
    if len(data) > max_bytes:
        raise Undecodable("too_large", f"{len(data)} bytes, more than {max_bytes}")
    with _raise_undecodable(data), Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(image.size, max_pixels)
        image.verify()
        return Image.MIME[image.format or ""]


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> DecodedPicture:
    """Decode a whole picture; of an animation the first frame. Transparency is laid over white.

    The size is read from the header and checked before a pixel is allocated. Every chunk's checksum is verified
    where the format has checksums (PNG).

    Raises:
        Undecodable: `too_large`, `unknown_format`, or `broken` (truncated, wrong checksum, inconsistent).
    """
    media_type_of(data, max_bytes=max_bytes, max_pixels=max_pixels)
    # `verify` leaves an image that cannot be loaded any more.
    with _raise_undecodable(data), Image.open(BytesIO(data), formats=FORMATS) as image:
        media_type = Image.MIME[image.format or ""]
        return DecodedPicture(np.asarray(_flatten(image), dtype=np.uint8), media_type)


def decode_frames(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Every frame of an animation, shape (frames, height, width, 3); of a still picture one.

    Raises:
        Undecodable: see `decode`; `max_pixels` are those of all frames.
    """
    media_type_of(data, max_bytes=max_bytes, max_pixels=max_pixels)
    with _raise_undecodable(data), Image.open(BytesIO(data), formats=FORMATS) as image:
        count = getattr(image, "n_frames", 1)
        if count * image.width * image.height > max_pixels:
            raise Undecodable(
                "too_large", f"{count} frames of {image.width}x{image.height}, more than {max_pixels} pixels"
            )
        frames = [np.asarray(_flatten(frame), dtype=np.uint8) for frame in ImageSequence.Iterator(image)]
        return np.stack(frames)


@contextmanager
def _raise_undecodable(data: bytes) -> Generator[None]:
    """Turn what Pillow raises into `Undecodable`."""
    try:
        yield
    except Undecodable:
        raise
    except UnidentifiedImageError as error:
        raise Undecodable("unknown_format", f"{len(data)} bytes that are no {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Undecodable("too_large", str(error)) from error
    # What Pillow's decoders are known to raise on hostile bytes.
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, struct.error, zlib.error) as error:
        raise Undecodable("broken", f"{type(error).__name__}: {error}") from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise Undecodable("too_large", f"{width}x{height} pixels, more than {max_pixels} or a side over {MAX_SIDE}")


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        # Pillow clips 16-bit grey instead of scaling it.
        grey = np.asarray(image) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")
