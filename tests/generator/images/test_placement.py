"""Where pictures lie in a picture that is made from them."""

import numpy as np
import pytest

from agents.generator.images.placement import (
    StartImage,
    blend_square,
    composite,
    crop_square,
    face_square,
    fit_to_size,
    pad_to_size,
    repaint_mask_of,
)
from agents.shared.picture import Rgb


def noise(height: int, width: int, seed: int = 0) -> Rgb:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_a_picture_of_the_right_size_fills_it_as_it_is():
    assert fit_to_size(noise(48, 64), 64, 48) is not None
    assert np.array_equal(fit_to_size(noise(48, 64), 64, 48), noise(48, 64))


def test_another_is_scaled_and_cropped_around_its_middle():
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 255
    found = fit_to_size(wide, 64, 64)
    assert found.shape == (64, 64, 3)
    assert found[:, 4:60].min() > 240


def test_a_placed_picture_keeps_every_bit_and_its_border_goes_on_outwards():
    lying, anew = pad_to_size(noise(32, 32), (16, 8, 32, 32), 64, 48)
    assert lying.shape == (48, 64, 3)
    assert np.array_equal(lying[8:40, 16:48], noise(32, 32))
    assert np.array_equal(lying[20, :16], np.repeat(noise(32, 32)[None, 12, 0], 16, axis=0))
    assert anew[8:40, 16:48].max() == 0
    assert anew.sum() == 64 * 48 - 32 * 32


@pytest.mark.parametrize("box", [(-1, 0, 32, 32), (40, 0, 32, 32), (0, 20, 32, 32), (0, 0, 0, 32)])
def test_a_place_that_is_not_inside_is_refused(box: tuple[int, int, int, int]):
    with pytest.raises(ValueError, match="is not inside of 64x48"):
        pad_to_size(noise(32, 32), box, 64, 48)


def test_black_of_a_mask_keeps_every_bit_white_none_and_grey_mixes():
    mask = np.zeros((1, 3, 3), np.uint8)
    mask[0, 1], mask[0, 2] = 255, 51
    start = StartImage(np.full((1, 3, 3), 200, np.uint8), 1.0, repaint_mask_of(mask, 3, 1))
    assert composite(np.full((1, 3, 3), 100, np.uint8), start)[0, :, 0].tolist() == [200, 100, 180]


def test_without_a_mask_all_of_a_picture_is_what_was_made():
    assert np.array_equal(composite(noise(8, 8, 1), StartImage(noise(8, 8), 0.5)), noise(8, 8, 1))


@pytest.mark.parametrize(
    ("face", "square"),
    [((0.4, 0.25, 0.2, 0.5), (68, 18, 65)), ((0.0, 0.0, 0.1, 0.2), (0, 0, 26)), ((0.5, 0.0, 0.5, 1.0), (100, 0, 100)),
     ((0.99, 0.99, 0.01, 0.01), (197, 97, 3))],
)  # fmt: skip
def test_a_face_has_a_square_around_it_that_lies_in_the_picture(face: tuple[float, ...], square: tuple[int, int, int]):
    assert face_square(face, 200, 100) == square


def test_what_was_made_of_a_face_fades_into_the_picture():
    picture, square = noise(64, 64), (16, 16, 32)
    face = crop_square(picture, square, 128)
    assert face.shape == (128, 128, 3)
    made = blend_square(picture, np.full_like(face, 255), square, 1.0)
    inside = np.zeros((64, 64), bool)
    inside[16:48, 16:48] = True
    assert np.array_equal(made[~inside], picture[~inside])
    assert (made[20:44, 20:44] == 255).all()
    assert not (made[16, 16:48] == 255).all()
    assert np.array_equal(blend_square(picture, face, square, 0.0), picture)
