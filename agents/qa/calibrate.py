"""Calibrates an image-text model: what its cosines mean, from pictures with a right and a wrong text each. Blocking.

The curve is a logistic regression of "this text is true" on the cosine. Every second pair is kept out of it, to say how
good the scorer is.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.qa.scorer import AdherenceCurve, Calibration, Scorer
from agents.shared.picture import Rgb
from bus.durable_files import replace_file
from protocol.errors import Refused

LEAST_PREFERRED = 0.65
"""Share of pairs in which the right text must have the larger cosine: below it a scorer says little more than
chance."""

ITERATIONS = 50
RIDGE = 1e-4
"""Keeps the slope finite where the two kinds of texts do not overlap."""

OnPair = Callable[[int, int], None]
"""Told how many pairs are compared, and of how many."""


@dataclass(frozen=True)
class CalibrationPair:
    """A picture, a text that is true of it, and one that is not."""

    rgb: Rgb
    right: str
    wrong: str


@dataclass(frozen=True)
class Calibrated:
    """The curve, and over the pairs that it was not fitted to: in what share the right text is preferred, and the mean
    adherence of right and of wrong texts."""

    curve: AdherenceCurve
    pairs: int
    preferred: float
    right: float
    wrong: float


def calibrate(folder: Path, pairs: Sequence[CalibrationPair], told: OnPair = lambda done, of: None) -> Calibrated:
    """Fit the curve of the model in a folder and write it there as `calibration.json`.

    Raises:
        Refused: the folder has no such model, or it does not tell right texts from wrong ones; nothing is written.
        ScorerBroken: its files do not fit.
    """
    view = preparation_of(folder)
    scorer = Scorer(folder, view)
    cosines = np.zeros((len(pairs), 2))
    for number, pair in enumerate(pairs):
        cosines[number] = [scorer.compare(pair.rgb, text)[0] for text in (pair.right, pair.wrong)]
        told(number + 1, len(pairs))
    fitted, kept = cosines[::2], cosines[1::2]
    curve = fit_curve(fitted[:, 0], fitted[:, 1])
    preferred = float(np.mean(kept[:, 0] > kept[:, 1]))
    if preferred < LEAST_PREFERRED:
        raise Refused(
            "invalid_value",
            f"the model in {folder} prefers the right text in {preferred:.0%} of {len(kept)} pairs: it cannot judge",
            hint="choose another scorer, such as siglip2",
        )
    levels = 1 / (1 + np.exp(-(curve.slope * kept + curve.offset)))
    found = msgspec.structs.replace(view, adherence=curve)
    replace_file(folder / "calibration.json", msgspec.json.format(msgspec.json.encode(found)))
    return Calibrated(curve, len(pairs), preferred, *(float(level) for level in levels.mean(axis=0)))


def fit_curve(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> AdherenceCurve:
    """Logistic regression of truth on the cosine, by Newton's method on standardised cosines. Pure."""
    cosines = np.concatenate([right, wrong])
    truths = np.concatenate([np.ones(len(right)), np.zeros(len(wrong))])
    mean, deviation = float(cosines.mean()), max(float(cosines.std()), 1e-9)
    design = np.stack([(cosines - mean) / deviation, np.ones(len(cosines))], axis=1)
    weights = np.zeros(2)
    for _ in range(ITERATIONS):
        levels = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (truths - levels) - RIDGE * len(cosines) * weights
        curvature = (design.T * (levels * (1 - levels))) @ design + RIDGE * len(cosines) * np.eye(2)
        weights = weights + np.linalg.solve(curvature, slope)
    scale = float(weights[0]) / deviation
    return AdherenceCurve(slope=scale, offset=float(weights[1]) - scale * mean)


def preparation_of(folder: Path) -> Calibration:
    """How the model's own settings prepare a picture, with a curve that is yet to be fitted.

    Raises:
        Refused: `preprocessor_config.json` is missing or says something else.
    """
    file = folder / "preprocessor_config.json"
    try:
        settings: dict[str, Any] = json.loads(file.read_bytes())
        size = settings.get("crop_size") or settings["size"]
        side = size if isinstance(size, int) else size.get("shortest_edge") or size["height"]
        fields = {
            "image_size": side,
            "mean": settings["image_mean"],
            "std": settings["image_std"],
            "adherence": {"slope": 1.0, "offset": 0.0},
        }
        return msgspec.convert(fields, Calibration)
    except (OSError, ValueError, KeyError, AttributeError, msgspec.ValidationError) as error:
        raise Refused(
            "not_installed",
            f"{file} does not say how pictures are prepared: {error}",
            hint="pull a scorer first: bottega models pull siglip2",
        ) from error
