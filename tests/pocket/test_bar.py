"""The bar of the pocket model: shares from what a judge named, what is below, and how tables look."""

from __future__ import annotations

import numpy as np
import pytest

from agents.pocket.bar import BAR, HEADS, missed_figures, shares, table
from agents.pocket.render import Scene

LEFT, TWO = 0, 1
PLAIN = Scene(object=2, colour=3, background=4, style=1)
PLACED = Scene(object=2, colour=3, background=4, style=1, size=0, position=LEFT)
PAIR = Scene(object=2, colour=3, background=4, style=1, count=TWO)


def named(scene: Scene, *wrong: str) -> list[int]:
    """What a judge says who errs in some heads."""
    return [label + (head in wrong) for head, label in zip(HEADS, scene.labels(), strict=True)]


@pytest.mark.parametrize(
    ("scenes", "wrong", "expected"),
    [
        pytest.param([PLAIN], [()], {"object": 1, "all four": 1, "count": 1, "position": None}, id="all-right"),
        pytest.param([PLAIN], [("colour",)], {"object": 1, "colour": 0, "all four": 0}, id="one-of-four-wrong"),
        pytest.param([PLAIN, PAIR], [(), ("count",)], {"count": 0.5, "all four": 1}, id="a-count-is-not-of-the-four"),
        pytest.param([PLAIN, PLACED], [("position",), ()], {"position": 1}, id="a-place-in-the-centre-is-not-told"),
        pytest.param([PLACED], [("size",)], {"object": 1, "position": 1, "all four": 1}, id="size-is-not-counted"),
        pytest.param([], [], {"object": None, "all four": None, "count": None}, id="nothing-drawn"),
    ],
)
def test_shares_count_what_the_sentence_told(
    scenes: list[Scene], wrong: list[tuple[str, ...]], expected: dict[str, float | None]
) -> None:
    said = np.array([named(s, *w) for s, w in zip(scenes, wrong, strict=True)]).reshape(len(scenes), len(HEADS))
    figures = shares(said, scenes)
    assert {k: figures[k] for k in expected} == expected


@pytest.mark.parametrize(
    ("figures", "short"),
    [
        pytest.param(dict(BAR), [], id="just-reached"),
        pytest.param({**BAR, "colour": 0.899}, ["colour: 0.899 is below 0.9"], id="one-below"),
        pytest.param({**BAR, "style": None}, ["style: not measured; it has to reach 0.85"], id="not-measured"),
    ],
)
def test_what_is_below_the_bar_is_said(figures: dict[str, float | None], short: list[str]) -> None:
    assert missed_figures(figures) == short


def test_a_table_has_a_column_for_every_name_and_a_dash_for_what_was_not_measured() -> None:
    rows = {"plain": {"n": 400.0, "object": 0.95}, "placed": {"n": 12.0, "position": None}}
    assert table("prompts", rows).splitlines() == [
        "| prompts | n | object | position |",
        "|---|---|---|---|",
        "| plain | 400 | 0.950 | – |",
        "| placed | 12 | – | – |",
    ]
