"""Canny edges in numpy, and the agreement of two pictures' edges."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.shared.edges import canny, edge_f_score

RED, GREEN = (200, 30, 30), (30, 124, 30)
"""Two colours that are equally bright."""


def disc(radius: float, right: int = 0) -> NDArray[np.uint8]:
    """A red disc on a green ground."""
    y, x = np.mgrid[:128, :128]
    inside = np.hypot(x - 64 - right, y - 64) < radius
    return np.where(inside[..., None], np.array(RED), np.array(GREEN)).astype(np.uint8)


def test_the_edge_of_a_disc_is_a_thin_ring_of_its_radius() -> None:
    edges = canny(disc(40))
    y, x = np.nonzero(edges)
    assert np.abs(np.hypot(x - 64, y - 64) - 40).max() < 2
    assert 2 * np.pi * 40 * 0.8 < len(x) < 2 * np.pi * 40 * 1.5


def test_a_plain_ground_and_a_soft_slope_have_no_edges() -> None:
    slope = np.repeat(np.linspace(0, 255, 128).astype(np.uint8)[None, :, None], 128, 0).repeat(3, 2)
    assert not canny(slope).any()
    assert not canny(np.full((128, 128, 3), 90, np.uint8)).any()


@pytest.mark.parametrize(("shift", "score"), [(0, 1.0), (2, 1.0), (12, 0.5)])
def test_edges_agree_as_far_as_they_lie_within_two_pixels(shift: int, score: float) -> None:
    found = edge_f_score(canny(disc(40)), canny(disc(40, shift)))
    assert found == score if score == 1.0 else found < score


def test_nothing_agrees_with_no_edges() -> None:
    nothing = np.zeros((128, 128), bool)
    assert edge_f_score(nothing, canny(disc(40))) == edge_f_score(canny(disc(40)), nothing) == 0.0
