# pyright: basic, reportPrivateImportUsage=false
"""Faults laid over pictures on purpose: they do what they say, and more of them is worth less."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.pocket.judge import to_input
from agents.pocket.render import Scene, render
from agents.pocket.spoil import blur, blur_merit, hue_merit, noise, noise_merit, turn_hue
from agents.pocket.vocabulary import PALETTE


def picture(colour: str = "red", background: str = "white") -> torch.Tensor:
    names = list(PALETTE)
    return to_input([render(Scene(4, names.index(colour), names.index(background), 1))], 128)


def test_a_blurred_picture_has_softer_edges() -> None:
    def steepest(x: torch.Tensor) -> float:
        return float(x.diff(dim=-1).abs().max())

    assert steepest(picture()) > steepest(blur(picture(), 32)) > steepest(blur(picture(), 8))


def test_noise_leaves_the_mean_and_adds_its_spread() -> None:
    torch.manual_seed(1)
    grey = torch.zeros(1, 3, 64, 64)
    noisy = noise(grey, 0.2)
    assert abs(float(noisy.mean())) < 0.01
    assert float(noisy.std()) == pytest.approx(0.2, rel=0.05)


def test_turning_the_hue_makes_red_green_and_leaves_white_white() -> None:
    turned = turn_hue(picture(), 120)[0]
    middle, corner = turned[:, 64, 64], turned[:, 2, 2]
    assert int(middle.argmax()) != int(picture()[0][:, 64, 64].argmax())
    assert np.allclose(corner, picture()[0][:, 2, 2], atol=0.03)


def test_a_whole_turn_changes_nothing() -> None:
    assert torch.allclose(turn_hue(picture(), 360), picture(), atol=1e-4)


@pytest.mark.parametrize(
    ("merit", "sound", "half", "ruined"),
    [
        pytest.param(blur_merit, 64, 16, 4, id="blur"),
        pytest.param(noise_merit, 0.1, 0.48, 1.2, id="noise"),
        pytest.param(hue_merit, -5, -22, -90, id="hue"),
    ],
)
def test_merit_is_one_for_the_sound_half_between_and_nothing_for_the_ruined(
    merit: object, sound: float, half: float, ruined: float
) -> None:
    assert callable(merit)
    assert [merit(sound), merit(half), merit(ruined)] == pytest.approx([1, 0.5, 0])
