"""Steps after generation on the command line: in the order of their flags, and bad input where they are none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.doors.cli.app import app
from agents.doors.cli.errors import BAD_INPUT, Failure
from agents.doors.cli.generate.post_flags import parse_post_steps
from protocol.commands import Lora
from protocol.parameters import ImageSource
from protocol.post import CorrectColour, PostStep, Refine, RemoveArtefacts, Upscale


@pytest.mark.parametrize(
    ("flag", "text", "step"),
    [
        ("upscale", "x4", Upscale(model="x4")),
        ("upscale", "lanczos:1.5", Upscale(model="lanczos", scale=1.5)),
        ("refine", "0.4", Refine(strength=0.4)),
        ("refine", "0.4:neon", Refine(strength=0.4, loras=[Lora(name="neon")])),
        ("refine", "0.4:neon:0.6", Refine(strength=0.4, loras=[Lora(name="neon", weight=0.6)])),
        ("clean", "dejpeg", RemoveArtefacts(model="dejpeg")),
        ("clean", "dejpeg:0", RemoveArtefacts(model="dejpeg", strength=0.0)),
        ("colours", "generated", CorrectColour()),
        ("colours", "gen_batch_1_000000", CorrectColour(towards=ImageSource(image_id="gen_batch_1_000000"))),
    ],
)
def test_a_flag_is_a_step(flag: str, text: str, step: PostStep):
    assert parse_post_steps({flag: text}) == [step]


@pytest.mark.parametrize(
    ("flag", "text"),
    [("upscale", "x4:much"), ("upscale", ":2"), ("refine", "neon"), ("refine", "0.3:neon:x"), ("refine", "nan")],
)
def test_what_is_none_is_bad_input_with_a_way_out(flag: str, text: str):
    with pytest.raises(Failure) as failure:
        parse_post_steps({flag: text})
    assert (failure.value.exit_code, bool(failure.value.body.hint)) == (BAD_INPUT, True)


@pytest.mark.parametrize(("first", "wrong"), [("--upscale", "$.post[1].strength"), ("--refine", "$.post[0].strength")])
def test_steps_follow_the_order_in_which_their_flags_were_typed(first: str, wrong: str, tmp_path: Path):
    flags = {"--upscale": "lanczos:2", "--refine": "7"}
    order = sorted(flags, key=lambda flag: flag != first)
    typed = [part for flag in order for part in (flag, flags[flag])]
    done = CliRunner().invoke(app, ["generate", "a car", "--json", *typed], env={"BOTTEGA_HOME": str(tmp_path)})
    assert (done.exit_code, wrong in done.output) == (BAD_INPUT, True)
