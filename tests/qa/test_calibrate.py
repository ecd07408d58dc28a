# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""A pulled scorer is calibrated on pairs: a tiny CLIP that was taught two things, and one that was taught nothing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, CLIPModel

from agents.qa.agent import build, scorer_folder
from agents.qa.calibrate import CalibrationPair, calibrate, fit_curve, preparation_of
from agents.qa.scorer import Calibration, Scorer, is_installed, prepare
from agents.shared.settings import Settings
from protocol.errors import Refused
from tests.qa.drawings import disc, tower
from tests.qa.test_scorer import write_scorer

PREPROCESSOR = {"size": {"shortest_edge": 16}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
PAIRS = [
    pair
    for n in range(10)
    for pair in (
        CalibrationPair(disc(centre=(0.4 + 0.02 * n, 0.5)), "a magenta disc", "a tower"),
        CalibrationPair(tower(), "a tower", "a magenta disc"),
    )
]


def uncalibrated(folder: Path) -> Path:
    """A tiny CLIP as a hub has it: with its own settings and without a calibration."""
    torch.manual_seed(5)
    write_scorer(folder)
    (folder / "calibration.json").unlink()
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    return folder


def teach(folder: Path) -> None:
    """Train the tiny CLIP to tell a disc from a tower."""
    model: Any = CLIPModel.from_pretrained(folder).train()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    words = tokenizer(["a magenta disc", "a tower"], padding="max_length", truncation=True, return_tensors="pt")
    view = preparation_of(folder)
    pixels = torch.from_numpy(np.stack([prepare(disc(), view), prepare(tower(), view)]))
    steps = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(30):
        loss = model(**words, pixel_values=pixels, return_loss=True).loss
        steps.zero_grad()
        loss.backward()
        steps.step()
    model.save_pretrained(folder)


def test_a_scorer_that_tells_things_apart_is_calibrated_and_then_used_for_other_models(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folder = uncalibrated(settings.tools / "mine")
    teach(folder)
    assert scorer_folder(settings) is None
    told: list[tuple[int, int]] = []

    done = calibrate(folder, PAIRS, lambda here, of: told.append((here, of)))

    assert (done.pairs, done.preferred, told[-1]) == (20, 1.0, (20, 20))
    assert done.right > 0.9
    assert done.wrong < 0.1
    assert Scorer(folder).match(disc(), "a magenta disc").adherence > 0.9
    assert Scorer(folder).match(disc(), "a tower").adherence < 0.1
    assert scorer_folder(settings) == scorer_folder(Settings(home=tmp_path, scorer=Path("mine"))) == folder
    assert scorer_folder(Settings(home=tmp_path, scorer=folder)) == folder
    assert build(settings).presence("qa_1").scorers == ["pocket", "*"]


def test_a_scorer_that_tells_nothing_apart_is_refused_and_leaves_no_calibration(tmp_path: Path) -> None:
    folder = uncalibrated(tmp_path / "mine")
    same = [CalibrationPair(pair.rgb, "a tower", "a tower") for pair in PAIRS]
    with pytest.raises(Refused, match="0% of 10 pairs") as caught:
        calibrate(folder, same)
    assert "siglip2" in (caught.value.body.hint or "")
    assert not is_installed(folder)


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        (PREPROCESSOR, 16),
        (PREPROCESSOR | {"size": {"height": 224, "width": 224}}, 224),
        (PREPROCESSOR | {"size": 256, "crop_size": {"height": 224, "width": 224}}, 224),
        (PREPROCESSOR | {"size": 384}, 384),
        ({"size": 384}, None),
        (["size"], None),
        (None, None),
    ],
)
def test_how_pictures_are_prepared_comes_from_the_models_own_settings(
    tmp_path: Path, settings: object, side: int | None
) -> None:
    if settings is not None:
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    if side is None:
        with pytest.raises(Refused, match=r"preprocessor_config\.json"):
            preparation_of(tmp_path)
    else:
        view: Calibration = preparation_of(tmp_path)
        assert (view.image_size, view.mean) == (side, (0.5, 0.5, 0.5))


def test_the_curve_is_half_where_right_and_wrong_are_equally_likely() -> None:
    dice = np.random.default_rng(1)
    curve = fit_curve(dice.normal(0.3, 0.05, 400), dice.normal(0.2, 0.05, 400))
    assert -curve.offset / curve.slope == pytest.approx(0.25, abs=0.01)
    # Two normal distributions of one width: the slope is their distance over the variance.
    assert curve.slope == pytest.approx(0.1 / 0.05**2, rel=0.2)


def test_the_slope_stays_finite_where_no_right_text_is_below_a_wrong_one() -> None:
    curve = fit_curve(np.array([0.8, 0.9]), np.array([0.1, 0.2]))
    assert 0 < curve.slope < 1000
    assert np.isfinite(curve.offset)
    assert fit_curve(np.array([0.5]), np.array([0.5])).slope == 0
