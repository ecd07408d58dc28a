"""From a stranger's bytes to pixels as they are to be seen: three formats, bounded bytes and pixels, checked to the
last chunk, turned upright, in sRGB. Every picture that comes from outside is decoded here.

Pixels are `uint8` RGB arrays of shape (height, width, 3). Pure: bytes in, array out.
"""

import struct
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence, UnidentifiedImageError

from agents.shared.colour_profiles import SrgbTransform, srgb_transform
from agents.shared.picture_chunks import excess_of
from agents.shared.picture_formats import FORMATS, format_name

Rgb = NDArray[np.uint8]
"""Pixels, shape (height, width, 3), sRGB."""

MAX_BYTES = 64 * 1024 * 1024
"""A 16-megapixel PNG of noise is 48 MB."""

MAX_PIXELS = 32_000_000
"""The largest size a platform offers is 4K (4096×4096, 17 million); twice that is 96 MB of RGB."""

MAX_SIDE = 16_384
"""WebP's own bound is 16383."""

STRIP_PIXELS = 1 << 20
"""Pixels that are converted at a time: what lies between a decoder's pixels and the array costs no more memory."""

Fault = Literal["too_large", "unknown_format", "broken"]

_ORIENTATION = 0x0112
"""EXIF's tag of how a camera was held."""

_UPRIGHT_BY_ORIENTATION: dict[int, Callable[[Rgb], Rgb]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}
"""What turns the stored pixels upright (EXIF 3.0, 4.6.5.1); 1 is upright."""

# What Pillow's decoders are known to raise on hostile bytes: a palette that is not there is an AssertionError, an
# interlacing that does not exist a TypeError.
_DECODER_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, struct.error, zlib.error),
    *(AssertionError, AttributeError, OverflowError, TypeError),
)


class Undecodable(ValueError):
    """The bytes are not a picture that may be judged; `fault` is a short code, the message says what was found."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True)
class DecodedPicture:
    """A picture and the media type its bytes really have. `frames` are those of an animation, of which `rgb` is the
    first. `adapted` where the stored pixels were turned or converted: who ignores orientation, profile and further
    frames sees something else in the file."""

    rgb: Rgb
    media_type: str
    frames: int = 1
    adapted: bool = False

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
    if (excess := excess_of(data)) is not None:
        raise Undecodable("too_large", excess)
    with _raise_undecodable(data), Image.open(BytesIO(data), formats=FORMATS) as image:
        _check_size(image.size, max_pixels)
        image.verify()
        return _media_type(image)


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, max_pixels: int = MAX_PIXELS) -> DecodedPicture:
    """Decode a whole picture as it is to be seen: upright by its EXIF orientation, in sRGB by its colour profile, 8
    bits a channel; of an animation the first frame. Transparency is laid over white.

    The size is read from the header and checked before a pixel is allocated. Every chunk's checksum is verified
    where the format has checksums (PNG).

    Raises:
        Undecodable: `too_large`, `unknown_format`, or `broken` (truncated, wrong checksum, inconsistent).
    """
    media_type_of(data, max_bytes=max_bytes, max_pixels=max_pixels)
    # `verify` leaves an image that cannot be loaded any more.
    with _raise_undecodable(data), Image.open(BytesIO(data), formats=FORMATS) as image:
        media_type = _media_type(image)
        # Cameras put previews into a JPEG behind the picture itself: these are no frames.
        frames = 1 if media_type == "image/jpeg" else getattr(image, "n_frames", 1)
        seen, adapted = _as_seen(image)
        return DecodedPicture(seen, media_type, frames, adapted or frames > 1)


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
        return np.stack([_as_seen(frame)[0] for frame in ImageSequence.Iterator(image)])


@contextmanager
def _raise_undecodable(data: bytes) -> Generator[None]:
    """Turn what Pillow raises into `Undecodable`."""
    try:
        yield
    except Undecodable:
        raise
    except UnidentifiedImageError as error:
        name = format_name(data)
        what = f"{len(data)} bytes that are no {', '.join(FORMATS)}" if name is None else f"{name} files are not read"
        raise Undecodable("unknown_format", what) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise Undecodable("too_large", str(error)) from error
    except _DECODER_ERRORS as error:
        raise Undecodable("broken", f"{type(error).__name__}: {error}") from error


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise Undecodable(
            "too_large", f"{width}x{height} pixels, more than {max_pixels} or a side over {MAX_SIDE}: make it smaller"
        )


def _media_type(image: Image.Image) -> str:
    """Pillow calls a JPEG with further pictures behind it MPO."""
    return "image/jpeg" if image.format == "MPO" else Image.MIME[image.format or ""]


def _as_seen(image: Image.Image) -> tuple[Rgb, bool]:
    """The picture's pixels, and whether it was turned or its colours converted."""
    profile = image.info.get("icc_profile")
    turn = _UPRIGHT_BY_ORIENTATION.get(_orientation(image))
    rgb, converted = _pixels_of(image, profile if isinstance(profile, bytes) else b"")
    return rgb if turn is None else np.ascontiguousarray(turn(rgb)), converted or turn is not None


def _pixels_of(image: Image.Image, profile: bytes) -> tuple[Rgb, bool]:
    """RGB without transparency, made strip by strip, and whether its colours were converted."""
    image.load()
    if image.mode == "P" and image.palette is None:
        raise Undecodable("broken", "its palette is missing")
    to_srgb = srgb_transform(profile, cmyk=image.mode == "CMYK")
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, STRIP_PIXELS // image.width)
    converted = False
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        flat, converted = _flatten(image.crop((0, top, image.width, bottom)), to_srgb)
        rgb[top:bottom] = np.asarray(flat)
    return rgb, converted


def _orientation(image: Image.Image) -> int:
    """How the camera was held; 1, upright, where nobody can tell."""
    try:
        said = image.getexif().get(_ORIENTATION)
    except _DECODER_ERRORS:
        return 1
    return said if isinstance(said, int) else 1


def _flatten(image: Image.Image, to_srgb: SrgbTransform | None) -> tuple[Image.Image, bool]:
    """RGB without transparency, and whether its colours were converted."""
    if image.mode.startswith("I;16"):
        # Pillow clips 16-bit grey instead of scaling it.
        return _in_srgb(Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), to_srgb)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        colours, converted = _in_srgb(layer.convert("RGB"), to_srgb)
        if converted:
            colours.putalpha(layer.getchannel("A"))
            layer = colours
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"), converted
    return _in_srgb(image, to_srgb)


def _in_srgb(image: Image.Image, to_srgb: SrgbTransform | None) -> tuple[Image.Image, bool]:
    if to_srgb is not None:
        converted = to_srgb.convert(image if image.mode in ("RGB", "CMYK") else image.convert("RGB"))
        if converted is not None:
            return converted, True
    return image.convert("RGB"), False
