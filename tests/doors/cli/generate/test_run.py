"""`bottega generate` on a machine with nothing running: a workshop for the occasion, in a process of its own."""

import json
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.doors.cli.conftest import ANSWER_S, Home, line_with

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_workshop_is_started_for_the_occasion_and_stopped(home: Home):
    with home.start("generate", "a red car", "-n", "2", "--json") as generate:
        said, _ = generate.communicate(timeout=ANSWER_S)
    assert generate.returncode == 0
    images = json.loads(said)["images"]
    assert len(images) == 2
    assert all(Path(image["path"]).is_relative_to(home.folder / "pictures") for image in images)
    assert home.run("status").returncode == 3


def test_pictures_below_the_bar_are_made_again_and_then_failed(home: Home):
    flat = {"BOTTEGA_QA_SCORING": "true"}
    with home.start("generate", "a red car", "-n", "2", "--min-score", "0.9", "--json", **flat) as generate:
        said, _ = generate.communicate(timeout=ANSWER_S)
    assert generate.returncode == 1
    done = json.loads(said)
    assert done["images"] == []
    assert (done["generation_status"]["failed"], done["generation_status"]["state"]) == (2, "failed")
    phases = done["phases"]
    assert phases["total"] == pytest.approx(
        sum(phases[name] for name in ("starting", "plan", "making", "handing_over", "stopping"))
    )
    assert done["generation_status"]["quality_metrics"]["rejection_rate"] == 1.0


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_cancels_the_batch_and_stops_the_workshop(home: Home, sign: signal.Signals):
    with home.start("generate", "a red car", "-n", "5000", "--yes") as generate:
        line_with(generate, "[1/5000]")
        generate.send_signal(sign)
        said, _ = generate.communicate(timeout=ANSWER_S)
    assert generate.returncode == 130
    assert "cancelled · " in said
    assert "Traceback" not in said
    assert home.run("status").returncode == 3


REAL = {"BOTTEGA_GENERATOR": "diffusers", "BOTTEGA_QA_SCORING": "true"}


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Generator[Home]:
    """A home in which a workshop draws with the pocket model and judges."""
    home = Home(tmp_path_factory.mktemp("drawing"))
    with home.start("up", **REAL) as up:
        line_with(up, "workshop ready at")
        yield home
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0


def test_the_pocket_model_draws_what_the_brief_says(drawing: Home):
    """Real diffusion: the picture is not flat, has the model's native size, and QA measured a score."""
    brief = ("generate", "a magenta mug on a teal background", "--platform", "pocket", "--seed", "7", "--json")
    generate = drawing.run(*brief, "--min-score", "0", **REAL)
    assert generate.returncode == 0, generate.stderr
    done = json.loads(generate.stdout)
    [image] = done["images"]
    assert image["width"] == image["height"] > 0
    assert 0 < image["score"] <= 1
    assert done["generation_status"]["performance"]["avg_time"] > 0


def test_words_that_the_model_does_not_know_are_named_before_and_after_and_get_no_score(drawing: Home):
    generate = drawing.run("generate", "a portrait of a smiling woman", "--platform", "pocket", "--seed", "7", **REAL)
    assert generate.returncode == 0, generate.stderr
    assert "pocket does not know these words: smiling woman" in generate.stderr
    assert "there is no score, and --min-score rests on sharpness" in generate.stderr
    assert "not judged     smiling woman" in generate.stdout
    assert "score 0" not in generate.stdout + generate.stderr
    assert "score 1" not in generate.stdout + generate.stderr


def test_the_same_sentence_with_the_same_seed_is_answered_with_the_pictures_that_are_there(home: Home):
    """Each time with a workshop of its own: what the pictures were made with is known before one is made."""
    real = {"BOTTEGA_GENERATOR": "diffusers", "BOTTEGA_QA_SCORING": "true"}
    order = ("generate", "a magenta mug", "-n", "2", "--platform", "pocket", "--seed", "7", "--steps", "4")
    with home.start(*order, "--min-score", "0", "--json", **real) as generate:
        first, _ = generate.communicate(timeout=80)
    with home.start(*order, "--min-score", "0", **real) as generate:
        again, _ = generate.communicate(timeout=80)
    assert [image["reused"] for image in json.loads(first)["images"]] == [None, None]
    assert "2 of 2 pictures were there already (reused, no cost)" in again
