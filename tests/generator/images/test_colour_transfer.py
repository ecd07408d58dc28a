"""A picture with the colours of another: mean and spread of each channel in Lab."""

import numpy as np
import pytest

from agents.generator.images.colour_transfer import transfer_colours
from agents.shared.picture import Rgb


def noise(low: int, high: int, seed: int = 0) -> Rgb:
    return np.random.default_rng(seed).integers(low, high, (300, 40, 3), np.uint8)


def test_a_picture_keeps_its_own_colours_bit_for_bit():
    every = np.stack(np.meshgrid(*[np.arange(0, 256, 5, dtype=np.uint8)] * 3), -1).reshape(-1, 52, 3)
    assert np.array_equal(transfer_colours(every, every, 1.0), every)
    assert np.array_equal(transfer_colours(noise(0, 256), noise(200, 256, 1), 0.0), noise(0, 256))


def test_colours_become_those_of_the_other_and_shapes_stay():
    picture, other = noise(0, 90), noise(100, 200, 1)
    made = transfer_colours(picture, other, 1.0)
    assert made.mean(axis=(0, 1)) == pytest.approx(other.mean(axis=(0, 1)), abs=3)
    assert made.std() == pytest.approx(other.std(), rel=0.1)
    assert np.corrcoef(picture.sum(2).ravel(), made.sum(2).ravel())[0, 1] > 0.95


def test_strength_is_how_far_they_go():
    picture, other = noise(0, 90), noise(100, 200, 1)
    means = [transfer_colours(picture, other, strength).mean() for strength in (0.0, 0.3, 0.7, 1.0)]
    assert means == sorted(means)


def test_a_flat_picture_takes_the_mean_alone():
    grey, red = np.full((8, 8, 3), 128, np.uint8), np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert np.abs(transfer_colours(grey, red, 1.0).astype(int) - red).max() <= 1
