"""Pairs of sentences: the right one holds, the wrong one differs in one attribute that both name."""

from __future__ import annotations

import numpy as np
import pytest

from agents.pocket.captions import describe
from agents.pocket.pairs import ODDS, change_attribute, changeable, held_out_pairs, wrong_caption
from agents.pocket.render import Scene, sample
from agents.pocket.vocabulary import ATTRIBUTES

LEFT, CENTRE, TWO = 0, 1, 1


@pytest.mark.parametrize("attribute", ATTRIBUTES)
def test_a_changed_scene_differs_in_the_attribute_alone(attribute: str) -> None:
    scene = Scene(object=2, colour=3, background=4, style=1)
    for seed in range(20):
        other = change_attribute(scene, attribute, np.random.default_rng(seed))
        differs = [k for k, a, b in zip(ATTRIBUTES, scene.labels(), other.labels(), strict=True) if a != b]
        assert differs == [attribute]


def test_several_things_have_no_place_of_their_own() -> None:
    assert "position" not in changeable(Scene(0, 1, 2, 3, count=TWO))
    one = Scene(0, 1, 2, 3, position=LEFT)
    assert change_attribute(one, "count", np.random.default_rng(0)).position == CENTRE


def test_a_wrong_caption_names_what_it_changes() -> None:
    rng = np.random.default_rng(5)
    for i in range(300):
        scene = sample(rng, plain=i % 2 == 0)
        other, caption = wrong_caption(scene, rng)
        named = [said and a != b for said, a, b in zip(caption.said, scene.labels(), other.labels(), strict=True)]
        assert any(named)


def test_the_pairs_of_the_measure_change_every_attribute_and_are_the_same_each_time() -> None:
    pairs = held_out_pairs(300, seed=1)
    assert pairs == held_out_pairs(300, seed=1)
    assert {p.attribute for p in pairs} == set(ATTRIBUTES) == set(ODDS)
    assert all(p.right != p.wrong for p in pairs)


def test_a_caption_names_what_it_has_to() -> None:
    rng = np.random.default_rng(6)
    for _ in range(100):
        said = describe(Scene(0, 1, 2, 3), rng, drop=0.0, naming=("size", "position")).said
        assert all(said)
