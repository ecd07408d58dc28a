"""The renderer and the captions: the same scene gives the same picture, and the words say what it shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from agents.pocket.captions import describe, plain
from agents.pocket.render import Scene, contact_sheet, render, sample
from agents.pocket.shapes import SHAPES
from agents.pocket.vocabulary import ATTRIBUTES, COLOUR_WORDS, OBJECTS, PALETTE, STYLES

TEAL = tuple(PALETTE).index("teal")
MAGENTA = tuple(PALETTE).index("magenta")


def test_the_same_scene_gives_the_same_bytes() -> None:
    scene = sample(np.random.default_rng(1))
    assert np.array_equal(render(scene), render(scene))


def test_another_seed_gives_another_picture() -> None:
    scene = sample(np.random.default_rng(1))
    assert not np.array_equal(render(scene), render(dataclasses.replace(scene, seed=scene.seed + 1)))


@pytest.mark.parametrize("style", range(len(STYLES)))
def test_every_object_stands_out_from_its_background_in_every_style(style: int) -> None:
    for kind in range(len(SHAPES)):
        picture = render(Scene(kind, MAGENTA, TEAL, style)).astype(int)
        border = np.median(np.concatenate([picture[:6].reshape(-1, 3), picture[-6:].reshape(-1, 3)]), 0)
        differs = np.abs(picture - border).sum(-1) > 90
        assert differs.mean() > 0.05, OBJECTS


def test_a_flat_picture_shows_the_very_colours_it_names() -> None:
    picture = render(Scene(4, MAGENTA, TEAL, 1))
    assert tuple(picture[2, 2]) == PALETTE["teal"]
    assert np.abs(picture[64, 64].astype(int) - PALETTE["magenta"]).max() < 40


def stretches(line: np.ndarray) -> list[slice]:
    """Where a row of yes and no says yes, from no to no."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
    return [slice(a, b) for a, b in edges.reshape(-1, 2)]


@pytest.mark.parametrize("count", range(3))
def test_a_larger_count_paints_more_things(count: int) -> None:
    picture = render(Scene(4, MAGENTA, TEAL, 1, size=0, count=count)).astype(int)
    painted = np.abs(picture - PALETTE["teal"]).sum(-1) > 60
    things = [columns for rows in stretches(painted.any(1)) for columns in stretches(painted[rows].any(0))]
    assert len(things) == count + 1


def test_a_caption_says_what_it_claims_to_say() -> None:
    rng = np.random.default_rng(3)
    for i in range(300):
        scene = sample(rng, plain=i % 2 == 0)
        caption, names = describe(scene, rng), scene.names()
        text = caption.text.lower()
        words = {
            "object": (names["object"], *OBJECTS[names["object"]]),
            "colour": (names["colour"], *COLOUR_WORDS[names["colour"]]),
            "background": (names["background"], *COLOUR_WORDS[names["background"]]),
            "style": (names["style"], *STYLES[names["style"]]),
        }
        for said, options in zip(caption.said, words.values(), strict=False):
            if said:
                assert any(option in text for option in options), (text, options)


def test_the_plain_sentence_names_everything() -> None:
    scene = Scene(0, MAGENTA, TEAL, 0)
    assert plain(scene) == "a magenta mug on a teal background, studio photograph"


def test_labels_are_indices_into_the_vocabulary() -> None:
    rng = np.random.default_rng(4)
    for _ in range(100):
        scene = sample(rng, plain=False)
        assert all(0 <= i < len(v) for i, v in zip(scene.labels(), ATTRIBUTES.values(), strict=True))
        assert scene.colour != scene.background


def test_a_contact_sheet_has_room_for_every_picture() -> None:
    pictures = [render(sample(np.random.default_rng(i))) for i in range(5)]
    sheet = contact_sheet(pictures, ["words"] * 5, columns=3, cell=64)
    assert sheet.size == (3 * 68 + 4, 2 * (64 + 38 + 4) + 4)
