"""The score, as a table."""

from dataclasses import replace

import pytest

from agents.qa.measures import Measures, measure
from agents.qa.score import MIN_SPREAD, Gate, judge
from tests.qa.drawings import ball, blurred, disc, flat, static

GOOD = Measures(
    spread=0.15,
    entropy=0.6,
    sharpness=0.5,
    noise=0.005,
    brightness=0.5,
    clipped_shadows=0.0,
    clipped_highlights=0.01,
    posterisation=0.1,
    adherence=0.95,
)


@pytest.mark.parametrize(
    ("change", "lowest", "highest", "reasons"),
    [
        pytest.param({}, 0.95, 1, (), id="good"),
        pytest.param({"adherence": 0.8}, 0.85, 0.95, (), id="shows the prompt well enough"),
        pytest.param({"adherence": 0.5}, 0.85, 0.86, (), id="shows the prompt as likely as not"),
        pytest.param({"adherence": 0.4}, 0.5, 0.85, (), id="shows the prompt less likely than not"),
        pytest.param({"adherence": 0.2}, 0, 0.5, ("off_prompt",), id="shows something else"),
        pytest.param({"adherence": 0.0}, 0, 0.25, ("off_prompt",), id="shows nothing of it"),
        pytest.param({"sharpness": 0.09}, 0.5, 0.75, ("blurred",), id="blurred"),
        pytest.param({"sharpness": None}, 0.9, 1, (), id="no edge to judge"),
        pytest.param({"noise": 0.2}, 0.5, 0.8, ("noisy",), id="noisy"),
        pytest.param({"clipped_highlights": 0.7, "brightness": 0.95}, 0.5, 0.8, ("overexposed",), id="overexposed"),
        pytest.param({"clipped_shadows": 0.7, "brightness": 0.04}, 0.5, 0.8, ("underexposed",), id="underexposed"),
        pytest.param({"clipped_shadows": 1.0, "brightness": 0.9}, 0.95, 1, (), id="black lines on white"),
        pytest.param({"clipped_highlights": 1.0, "brightness": 0.2}, 0.95, 1, (), id="white lines on black"),
        pytest.param({"posterisation": 0.9}, 0.5, 0.8, ("posterised",), id="posterised"),
        pytest.param({"adherence": 0.1, "sharpness": 0.1}, 0, 0.3, ("off_prompt", "blurred"), id="worst first"),
    ],
)
def test_the_score_of_measures(
    change: dict[str, float | None], lowest: float, highest: float, reasons: tuple[str, ...]
) -> None:
    verdict = judge(replace(GOOD, **change), min_score=0)
    assert verdict.score is not None
    assert lowest <= verdict.score <= highest
    assert set(verdict.reasons) == set(reasons)
    assert verdict.accepted


@pytest.mark.parametrize(
    ("change", "quality", "accepted", "reasons"),
    [
        pytest.param({}, 1.0, True, (), id="sound"),
        pytest.param({"sharpness": 0.05}, 0.3679, False, ("blurred",), id="blurred"),
    ],
)
def test_without_an_adherence_there_is_no_score_and_the_technical_quality_meets_the_bar(
    change: dict[str, float | None], quality: float, accepted: bool, reasons: tuple[str, ...]
) -> None:
    verdict = judge(replace(GOOD, adherence=None, **change), min_score=0.5)
    assert (verdict.score, verdict.accepted, verdict.reasons) == (None, accepted, reasons)
    assert verdict.technical_quality == pytest.approx(quality, abs=0.01)


@pytest.mark.parametrize("gate", ["undecodable", "wrong_format", "wrong_size"])
def test_a_failed_gate_is_score_0_and_never_accepted(gate: Gate) -> None:
    verdict = judge(GOOD, [gate], min_score=0)
    assert (verdict.score, verdict.accepted, verdict.reasons) == (0, False, (gate,))


def test_a_blank_picture_is_score_0() -> None:
    verdict = judge(replace(GOOD, spread=MIN_SPREAD / 2), min_score=0)
    assert (verdict.score, verdict.accepted, verdict.reasons) == (0, False, ("blank",))


@pytest.mark.parametrize(("min_score", "accepted"), [(0.0, True), (0.85, True), (0.999, False)])
def test_the_bar_decides(min_score: float, accepted: bool) -> None:
    verdict = judge(GOOD, min_score=min_score)
    assert verdict.accepted is accepted
    assert verdict.reasons == (() if accepted else ("below_min_score",))


def test_a_near_duplicate_keeps_its_score_and_is_not_accepted() -> None:
    alone, copy = judge(GOOD, min_score=0.5), judge(GOOD, min_score=0.5, near_duplicate=True)
    assert copy.score == alone.score
    assert not copy.accepted
    assert copy.reasons == ("near_duplicate",)


@pytest.mark.parametrize("worse", ["adherence", "sharpness"])
def test_less_of_a_good_thing_never_scores_higher(worse: str) -> None:
    scores = [judge(replace(GOOD, **{worse: k / 20}), min_score=0).score or 0.0 for k in range(21)]
    assert scores == sorted(scores)
    assert scores[0] < scores[-1]


def test_real_pictures_without_a_scorer_fall_on_the_right_side_of_the_usual_bar() -> None:
    accepted = {
        name: judge(measure(picture), min_score=0.85).accepted
        for name, picture in {
            "disc": disc(),
            "ball": ball(),
            "blurred": blurred(disc(), 4),
            "static": static(),
            "flat": flat(),
            "overexposed": ball(gain=3),
        }.items()
    }
    assert accepted == {
        "disc": True,
        "ball": True,
        "blurred": False,
        "static": False,
        "flat": False,
        "overexposed": False,
    }
