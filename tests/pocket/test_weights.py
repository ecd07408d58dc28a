# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The committed weights: they load as anyone would load them, they are small, and they draw what is asked."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

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

    figures = own_accuracy(judge.load(), 64)
    assert min(figures[k] for k in judge.HEADS) > 0.9


def test_the_scorer_prefers_the_right_sentence() -> None:
    from agents.pocket.adherence import Adherence
    from agents.pocket.evaluate import prompts
    from agents.pocket.render import render
    from agents.pocket.train.scorer import wrong_caption

    adherence = Adherence()
    scenes, texts = prompts(100, seed=71)
    pictures = [Image.fromarray(render(s)) for s in scenes]
    rng = np.random.default_rng(72)
    right = adherence.score(pictures, texts)
    wrong = adherence.score(pictures, [wrong_caption(s, rng)[1].text for s in scenes])
    assert (right > wrong).mean() > 0.9
    assert right.mean() > wrong.mean() + 0.4


def test_words_nobody_knows_cost_a_right_picture_little() -> None:
    from agents.pocket.adherence import Adherence
    from agents.pocket.evaluate import prompts
    from agents.pocket.render import render

    adherence = Adherence()
    scenes, texts = prompts(60, seed=73)
    pictures = [Image.fromarray(render(s)) for s in scenes]
    dressed = [f"{t}, 8k, masterpiece, on a wooden table, shot for a catalogue" for t in texts]
    assert adherence.score(pictures, dressed).mean() > adherence.score(pictures, texts).mean() - 0.15


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_generated_pictures_show_what_was_asked(pipe) -> None:
    from agents.pocket import judge
    from agents.pocket.evaluate import draw, prompts, shares

    notes = json.loads(DEFAULTS.read_text())
    scenes, texts = prompts(24)
    images = draw(pipe, texts, steps=notes["steps"], guidance=notes["guidance"])
    figures = shares(judge.name(judge.load(), images), scenes)
    assert figures["object"] >= 0.70
    assert figures["colour"] >= 0.75
    assert figures["background"] >= 0.85
