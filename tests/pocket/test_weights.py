# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The committed weights: they load as anyone would load them, they are small, and they draw what is asked."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from agents.pocket.paths import DEFAULTS, EVALUATOR, MODEL, SCORER

pytestmark = pytest.mark.skipif(not (MODEL / "model_index.json").exists(), reason="no weights in this checkout")

BRIEF = "a magenta mug on a teal background, studio light"


@pytest.fixture(scope="module")
def pipe():
    from agents.pocket.evaluate import load

    return load()


def test_the_folders_keep_within_their_limits() -> None:
    from agents.pocket.export import MODEL_LIMIT, SCORER_LIMIT, size

    assert size(MODEL) <= MODEL_LIMIT
    assert size(SCORER) <= SCORER_LIMIT


def test_no_configuration_names_a_path_of_the_machine_it_was_made_on() -> None:
    for folder in (MODEL, SCORER, EVALUATOR):
        for path in folder.rglob("*.json"):
            assert not re.search(r'"/\w+/', path.read_text()), path


def test_the_recorded_defaults_are_whole() -> None:
    notes = json.loads(DEFAULTS.read_text())
    assert set(notes) == {"steps", "guidance", "native_size", "sampler"}


def test_a_plain_pipeline_makes_a_picture_of_the_native_size(pipe) -> None:
    from agents.pocket.evaluate import draw

    (image,) = draw(pipe, [BRIEF], steps=4, guidance=4.0)
    assert image.size == (128, 128)
    assert np.asarray(image).std() > 10


def test_a_seed_gives_the_same_picture_again(pipe) -> None:
    from agents.pocket.evaluate import draw

    one, two = (draw(pipe, [BRIEF], steps=2, guidance=4.0, seed=5)[0] for _ in range(2))
    assert np.abs(np.asarray(one).astype(int) - np.asarray(two)).max() <= 1


def test_the_judge_names_held_out_renders() -> None:
    from agents.pocket import judge
    from agents.pocket.evaluate import own_accuracy

    for kind, figures in own_accuracy(judge.load(), 150).items():
        assert min(figures[head] or 0.0 for head in judge.HEADS) >= 0.96, kind


@pytest.fixture(scope="module")
def pairs():
    from agents.pocket.pairs import held_out_pairs
    from agents.pocket.preference import renders

    chosen = held_out_pairs(150, seed=71)
    return chosen, renders(chosen)


@pytest.fixture(scope="module")
def scorer():
    from agents.pocket.adherence import Adherence

    return Adherence()


def test_the_scorer_prefers_the_right_sentence(scorer, pairs) -> None:
    from agents.pocket.preference import preference

    figures = preference(scorer, pairs[1], pairs[0])
    assert (figures["prefers right"] or 0.0) >= 0.95
    assert (figures["right > 0.9"] or 0.0) >= 0.75
    assert (figures["wrong < 0.2"] or 0.0) >= 0.75


def test_the_adherence_of_a_right_sentence_falls_as_the_picture_is_spoilt(scorer, pairs) -> None:
    from agents.pocket.preference import falling, falls

    for fault, figures in falls(scorer, pairs[1][:60], [p.right for p in pairs[0][:60]]).items():
        assert falling(figures), (fault, figures)


def test_words_nobody_knows_cost_a_right_picture_little(scorer, pairs) -> None:
    texts = [p.right for p in pairs[0][:60]]
    dressed = [f"{t}, 8k, masterpiece, on a wooden table, shot for a catalogue" for t in texts]
    assert scorer.score(pairs[1][:60], dressed).mean() > scorer.score(pairs[1][:60], texts).mean() - 0.15


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_generated_pictures_show_what_was_asked(pipe) -> None:
    from agents.pocket import judge
    from agents.pocket.bar import missed_figures, shares
    from agents.pocket.evaluate import draw, mixed_prompts

    notes = json.loads(DEFAULTS.read_text())
    scenes, texts = mixed_prompts(60)
    pictures = draw(pipe, texts, steps=notes["steps"], guidance=notes["guidance"])
    assert missed_figures(shares(judge.name(judge.load(), pictures), scenes)) == []
    assert missed_figures(shares(judge.name(judge.load(), pictures), scenes), {"count": 0.8, "position": 0.8}) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_another_seed_gives_a_visibly_different_picture(pipe) -> None:
    from agents.pocket.bar import SEED_DISTANCE
    from agents.pocket.evaluate import variety

    notes = json.loads(DEFAULTS.read_text())
    figures = variety(pipe, steps=notes["steps"], guidance=notes["guidance"], count=4, seeds=2)
    assert (figures["between seeds"] or 0.0) >= SEED_DISTANCE
