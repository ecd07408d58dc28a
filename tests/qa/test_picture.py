"""Bytes become pixels within bounds, or a fault with a name."""

import struct
import zlib

import numpy as np
import pytest

from agents.shared.picture import Undecodable, decode
from tests.qa.drawings import disc, encoded, static


def fault_of(data: bytes, **bounds: int) -> str:
    with pytest.raises(Undecodable) as caught:
        decode(data, **bounds)
    return caught.value.fault


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int, rows: bytes = b"") -> bytes:
    """A small PNG file whose header claims any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("form", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_three_formats_decode_to_pixels_and_their_true_media_type(form: str, media_type: str) -> None:
    picture = decode(encoded(disc(), form))
    assert picture.media_type == media_type
    assert picture.size == (128, 128)
    assert picture.rgb.dtype == np.uint8
    assert np.abs(picture.rgb.astype(int) - disc().astype(int)).mean() < 4


def test_a_png_decodes_exactly() -> None:
    assert np.array_equal(decode(encoded(static())).rgb, static())


def test_a_wide_picture_keeps_width_before_height() -> None:
    assert decode(encoded(disc()[:64])).size == (128, 64)


def test_transparency_is_laid_over_white() -> None:
    glass = np.zeros((8, 8, 4), np.uint8)
    assert (decode(encoded(glass)).rgb == 255).all()


def test_sixteen_bit_grey_is_scaled() -> None:
    grey = np.full((8, 8), 0x8000, np.uint16)
    assert (decode(encoded(grey)).rgb == 0x80).all()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_truncated_picture_is_broken(form: str, share: float) -> None:
    data = encoded(static(), form)
    assert fault_of(data[: int(len(data) * share)]) in ("broken", "unknown_format")


def test_a_png_with_one_wrong_byte_fails_its_checksum() -> None:
    data = bytearray(encoded(static()))
    data[len(data) // 2] ^= 0xFF
    assert fault_of(bytes(data)) == "broken"


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(100), b"%!PS-Adobe-3.0 EPSF-3.0\n", b"not a picture"])
def test_other_formats_are_unknown(data: bytes) -> None:
    assert fault_of(data) == "unknown_format"


@pytest.mark.parametrize("size", [(60_000, 60_000), (8_000, 8_000), (30_000, 1), (2**31 - 1, 2**31 - 1)])
def test_a_header_that_claims_a_huge_picture_is_refused_before_a_pixel_is_allocated(size: tuple[int, int]) -> None:
    assert fault_of(png_claiming(*size)) == "too_large"


def test_a_compressed_text_bomb_beside_the_pixels_is_not_inflated() -> None:
    bomb = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(80_000_000)))
    data = encoded(disc())
    assert fault_of(data[:33] + bomb + data[33:]) == "broken"


def test_more_bytes_than_the_bound_are_not_looked_at() -> None:
    assert fault_of(encoded(disc()), max_bytes=100) == "too_large"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_damaged_files_end_in_a_fault_or_a_picture_and_nothing_else(form: str) -> None:
    rng = np.random.default_rng(7)
    whole = np.frombuffer(encoded(disc(side=48), form), np.uint8)
    outcomes: set[str] = set()
    for _ in range(300):
        data = whole.copy()
        data[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        try:
            decode(data.tobytes())
        except Undecodable as error:
            outcomes.add(error.fault)
        else:
            outcomes.add("picture")
    assert "broken" in outcomes
