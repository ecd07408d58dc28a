"""Texts in PNG files: written beside the pixels, read back, and broken files refused."""

import io
import zlib

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from agents.storage.png import XMP_KEYWORD, BrokenPng, chunks, read_text, with_text, without_text
from tests.storage.making import png


def opened(data: bytes) -> PngImageFile:
    picture = Image.open(io.BytesIO(data))
    assert isinstance(picture, PngImageFile)
    picture.load()
    return picture


def noise() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 48), 80).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "text",
    ["plain", "", "two\nlines", "naïve ©", "猫と星 🌟", "a\x07bell", 'quotes " and <angles>', "x" * 100_000],
)
def test_a_text_comes_back_as_it_was_and_other_programs_read_it_too(text: str) -> None:
    written = with_text(png(), {"prompt": text})
    assert read_text(written) == {"prompt": text}
    assert opened(written).text["prompt"] == text


def test_the_compressed_pixels_are_not_touched() -> None:
    plain = noise()
    written = with_text(plain, {"prompt": "a mug", XMP_KEYWORD: "<x/>"})
    assert [bytes(c.content) for c in chunks(written) if c.kind == b"IDAT"] == [
        bytes(c.content) for c in chunks(plain) if c.kind == b"IDAT"
    ]
    assert opened(written).tobytes() == opened(plain).tobytes()


def test_writing_twice_is_writing_once() -> None:
    once = with_text(png(), {"prompt": "猫", "seed": "1"})
    assert with_text(once, {"prompt": "猫", "seed": "1"}) == once


def test_without_its_texts_it_is_the_picture_that_it_was() -> None:
    assert without_text(with_text(png(), {"prompt": "猫", "seed": "1", XMP_KEYWORD: "<x/>"})) == png()


def test_texts_under_other_keywords_are_kept() -> None:
    assert read_text(with_text(with_text(png(), {"Author": "somebody"}), {"seed": "1"})) == {
        "seed": "1",
        "Author": "somebody",
    }


def test_compressed_texts_are_never_inflated() -> None:
    bomb = zlib.compress(b"a" * 10_000_000)
    content = b"bomb\0\0" + bomb
    chunk = len(content).to_bytes(4) + b"zTXt" + content + zlib.crc32(b"zTXt" + content).to_bytes(4)
    plain = png()
    assert read_text(plain[:33] + chunk + plain[33:]) == {}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"GIF89a" + bytes(100), id="another format"),
        pytest.param(png()[:-1], id="cut in the last chunk"),
        pytest.param(png()[:-12], id="no end"),
        pytest.param(png()[:40], id="cut in the middle"),
        pytest.param(png()[:50] + b"\xff" + png()[51:], id="a flipped byte"),
        pytest.param(png()[:8] + png()[33:], id="no header"),
        pytest.param(png()[:33] + b"\xff\xff\xff\xff" + png()[37:], id="a length beyond the end"),
    ],
)
def test_a_broken_file_is_refused(broken: bytes) -> None:
    with pytest.raises(BrokenPng):
        with_text(broken, {"seed": "1"})


def test_what_follows_the_end_of_the_picture_is_dropped() -> None:
    assert with_text(png() + b"smuggled", {}) == png()
