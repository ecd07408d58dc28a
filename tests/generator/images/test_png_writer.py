"""The PNG writer and the hashes of weights."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agents.generator.images import png_writer
from agents.generator.registry import weight_hashes
from agents.shared.picture import Undecodable, decode, decode_frames


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 7), (5, 1), (33, 65), (128, 128)])
def test_a_written_picture_reads_back_pixel_for_pixel(height: int, width: int):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(png_writer.encode(pixels))) as read:
        assert (read.format, read.mode) == ("PNG", "RGB")
        assert np.array_equal(np.asarray(read), pixels)


@pytest.mark.parametrize("count", [2, 5])
def test_a_sequence_reads_back_frame_by_frame_at_its_pace(count: int):
    frames = np.random.default_rng(count).integers(0, 256, (count, 9, 14, 3), dtype=np.uint8)
    data = png_writer.encode_sequence(frames, 8)
    with Image.open(io.BytesIO(data)) as read:
        assert (read.format, getattr(read, "n_frames", 1), read.info["loop"]) == ("PNG", count, 0)
        shown: list[NDArray[np.uint8]] = []
        for number in range(count):
            read.seek(number)
            assert read.info["duration"] == 125
            shown.append(np.asarray(read.convert("RGB"), dtype=np.uint8))
    assert np.array_equal(np.stack(shown), frames)
    assert np.array_equal(decode(data).rgb, frames[0])
    assert np.array_equal(decode_frames(data), frames)


def test_a_still_picture_is_a_sequence_of_one():
    pixels = np.zeros((4, 6, 3), np.uint8)
    assert decode_frames(png_writer.encode(pixels)).shape == (1, 4, 6, 3)


def test_a_sequence_of_too_many_pixels_is_not_decoded():
    with pytest.raises(Undecodable) as refused:
        decode_frames(png_writer.encode_sequence(np.zeros((4, 10, 10, 3), np.uint8), 8), max_pixels=399)
    assert refused.value.fault == "too_large"


def test_a_flat_picture_may_be_a_view_of_one_colour():
    pixels = np.broadcast_to(np.array([1, 2, 3], dtype=np.uint8), (16, 16, 3))
    with Image.open(io.BytesIO(png_writer.encode(pixels))) as read:
        assert read.getcolors() == [(256, (1, 2, 3))]


def test_a_version_follows_content_and_names_and_not_the_place(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "unet" / "w.safetensors").write_bytes(b"weights")
    kept = tmp_path / "run" / "weights.json"
    first = weight_hashes.version_of(tmp_path / "a", kept)
    assert weight_hashes.version_of(tmp_path / "b", kept) == first
    (tmp_path / "b" / "unet" / "w.safetensors").write_bytes(b"other weights")
    assert weight_hashes.version_of(tmp_path / "b", kept) != first
    assert len(first) == weight_hashes.VERSION_DIGITS


def test_a_broken_file_of_known_hashes_is_only_forgotten(tmp_path: Path):
    (tmp_path / "w.safetensors").write_bytes(b"weights")
    kept = tmp_path / "weights.json"
    first = weight_hashes.version_of(tmp_path / "w.safetensors", kept)
    kept.write_text("{ broken")
    assert weight_hashes.version_of(tmp_path / "w.safetensors", kept) == first
