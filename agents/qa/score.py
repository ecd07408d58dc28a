"""From measures to the one score between 0 and 1, and to accept or not. Pure; the table of README "The score".

A failed gate makes the score 0. Else each measure becomes a merit between 0.05 and 1, and the score is their weighted
geometric mean: one bad merit cannot be bought back by good ones. A measure that was not taken is left out and the
weights of the others are scaled up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agents.qa.measures import Measures

Gate = Literal["undecodable", "wrong_format", "wrong_size", "blank"]
"""What makes a picture worthless, whatever else can be said of it."""

NEAR_DUPLICATE = "near_duplicate"
OFF_PROMPT = "off_prompt"

NOT_JUDGED = "not_judged"
"""Reason of a picture whose prompt says something of which the scorer knows nothing; nothing is wrong with it."""
MIN_SPREAD = 0.012
"""Below this spread (3 levels of 255) there is nothing but a decoder's grain."""

MIN_MERIT = 0.05
"""Least merit: one bad measure ruins a score but does not erase it."""

REASON_BELOW = 0.5
"""A merit below this is named among the reasons."""


@dataclass(frozen=True)
class Merit:
    """One measure as a judgement: 0.05 to 1, its weight, and what its lack is called."""

    value: float
    weight: float
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The judgement of one picture. `score` is null where nothing says whether the picture shows its prompt;
    `technical_quality` is the same without that, null where a gate failed. `reasons` are short codes, worst first;
    empty where nothing is wrong."""

    score: float | None
    accepted: bool
    reasons: tuple[str, ...] = ()
    technical_quality: float | None = None


def ramp(value: float, bad: float, good: float) -> float:
    """0.05 at `bad` and beyond, 1 at `good` and beyond, straight between; `good` may be the smaller one."""
    return min(1.0, max(MIN_MERIT, (value - bad) / (good - bad)))


def adherence_merit(adherence: float) -> float:
    """The merit of an adherence: 0.05 up to 0.1, 0.75 at 0.5, 1 at 1, straight between.

    Adherence is calibrated as the probability that the text is true, against texts with one attribute changed. 0.75
    to the power of its weight is just over 0.85: a sound picture passes that bar when it shows its text more likely
    than not.
    """
    if adherence >= 0.5:
        return 0.75 + (adherence - 0.5) / 2
    return max(MIN_MERIT, 0.05 + (adherence - 0.1) * 1.75)


def merits(taken: Measures) -> list[Merit]:
    """The judgement of each measure that was taken.

    Over-exposed is a picture that has clipped highlights and is bright all over: white lines on black are drawing.
    """
    dark = taken.clipped_shadows * ramp(taken.brightness, 0.3, 0.05)
    light = taken.clipped_highlights * ramp(taken.brightness, 0.7, 0.9)
    found = [
        Merit(ramp(taken.noise, 0.12, 0.04), 0.10, "noisy"),
        Merit(ramp(max(dark, light), 0.45, 0.15), 0.10, "overexposed" if light > dark else "underexposed"),
        Merit(ramp(taken.posterisation, 0.8, 0.4), 0.10, "posterised"),
    ]
    if taken.sharpness is not None:
        found.append(Merit(ramp(taken.sharpness, 0.08, 0.25), 0.15, "blurred"))
    if taken.adherence is not None:
        found.append(Merit(adherence_merit(taken.adherence), 0.55, OFF_PROMPT))
    return found


def score_of(found: Sequence[Merit]) -> float:
    """Weighted geometric mean of merits: exp(sum w ln m / sum w)."""
    weights = sum(merit.weight for merit in found)
    return math.exp(sum(merit.weight * math.log(merit.value) for merit in found) / weights)


def judge(
    taken: Measures | None, gates: Sequence[Gate] = (), *, min_score: float, near_duplicate: bool = False
) -> Verdict:
    """The verdict over a picture; `taken` is null where it could not be decoded, and then a gate says so.

    Without an adherence the bar is held against the technical quality, and no score is stated: a sound picture of
    anything at all would have the best one.
    """
    failed: list[str] = list(gates)
    if taken is not None and taken.spread < MIN_SPREAD:
        failed.append("blank")
    if failed or taken is None:
        return Verdict(0.0, accepted=False, reasons=tuple(failed))
    found = merits(taken)
    # Rounded before it is compared: a score of 0.85 that is shown was not refused at a bar of 0.85.
    technical = round(score_of([merit for merit in found if merit.reason != OFF_PROMPT]), 4)
    score = technical if taken.adherence is None else round(score_of(found), 4)
    reasons = [m.reason for m in sorted(found, key=lambda m: m.value) if m.value < REASON_BELOW]
    if near_duplicate:
        reasons.insert(0, NEAR_DUPLICATE)
    if score < min_score and not reasons:
        reasons.append("below_min_score")
    return Verdict(
        None if taken.adherence is None else score,
        accepted=score >= min_score and not near_duplicate,
        reasons=tuple(reasons),
        technical_quality=technical,
    )
