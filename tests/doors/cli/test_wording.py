"""What the workshop says to a person who typed flags names flags, not JSON."""

import inspect
from collections.abc import Callable

import pytest

from agents.doors.cli.batches import flags as batch_commands
from agents.doors.cli.generate.flags import generate
from agents.doors.cli.sessions.flags import start
from agents.doors.cli.wording import (
    BATCH,
    GENERATE,
    SESSION,
    SINGLE,
    Flags,
    flag_at,
    in_words_of_flags,
    with_commands,
    with_flags,
)
from protocol.errors import ErrorBody


@pytest.mark.parametrize(
    ("path", "flags", "flag"),
    [
        ("$.quality.min_score", GENERATE, "--min-score"),
        ("$.requirements.quantity", GENERATE, "-n"),
        ("$.loras[0].weight", GENERATE, "--lora"),
        ("$.loras[1].weight", GENERATE, "--lora, number 2"),
        ("$.sweep.values.steps[2]", GENERATE, "--sweep steps"),
        ("$.sweep.values", GENERATE, "--sweep"),
        ("$.export.name_template", GENERATE, "--name-template"),
        ("$.animation.frames", GENERATE, "--frames"),
        ("$.animation.fps", GENERATE, "--fps"),
        ("$.catalogue.names[0]", SESSION, "--catalogues"),
        ("$.catalogue.names[0]", SINGLE, "--prompt"),
        ("$.hash", BATCH, "HASH"),
        ("$.not_before", GENERATE, "$.not_before"),
        ("$", GENERATE, "$"),
        ("mask.png", GENERATE, "mask.png"),
    ],
)
def test_a_place_in_json_is_the_flag_that_gave_it(path: str, flags: Flags, flag: str):
    assert flag_at(path, flags) == flag


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"platform": "pocket"', "--platform pocket"),
        ('"platform": "two words"', "--platform 'two words'"),
        ('give the map, with "preprocessed": true', 'give the map, with "preprocessed": true'),
        ("lower quality.min_score, raise max_attempts", "lower --min-score, raise --max-attempts"),
        ("give init_image", "give --image"),
        ("with a `sweep`, or `bottega models`", "with a --sweep, or `bottega models`"),
        ("init_image: 64x64 is scaled", "--image: 64x64 is scaled"),
        ("make the mask as large as the picture", "make the mask as large as the picture"),
        ("the style 'min_score' is not known", "the style 'min_score' is not known"),
        ("a/negative_prompt.md and my_init_image", "a/negative_prompt.md and my_init_image"),
        (
            'to run without one: "unpriced": "allow" beside its amount',
            "to run without one: --unpriced allow beside its amount",
        ),
        ("Generation cost (0.417¢) exceeds budget (12¢)", "Generation cost (0.00417 USD) exceeds budget (0.12 USD)"),
    ],
)
def test_fields_in_a_sentence_are_flags_and_words_stay_words(text: str, told: str):
    assert with_flags(text, GENERATE) == told


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("see LIST", "see bottega list"),
        ("see its STATUS", "see bottega status"),
        ("CANCEL stops pictures that were started", "bottega cancel stops pictures that were started"),
        (
            "see what the provider has, then RETRY the picture",
            "see what the provider has, then bottega retry the picture",
        ),
        ("a list of RESULTS", "a list of RESULTS"),
    ],
)
def test_a_hint_names_commands_of_the_terminal(hint: str, told: str):
    assert with_commands(hint) == told


def test_an_error_is_told_in_flags_and_keeps_what_else_it_says():
    body = ErrorBody(code="unknown_batch", message="no batch", path="$.hash", hint="see LIST", retryable=True)
    assert in_words_of_flags(body, BATCH) == ErrorBody(
        code="unknown_batch", message="no batch", path="HASH", hint="see bottega list", retryable=True
    )
    bare = ErrorBody(code="internal", message="no reason")
    assert in_words_of_flags(bare, BATCH) == bare


@pytest.mark.parametrize(
    ("flags", "commands"),
    [
        (GENERATE, [generate]),
        (SESSION, [start]),
        (BATCH, [batch_commands.amend, batch_commands.upgrade, batch_commands.cancel]),
    ],
    ids=["generate", "batch start", "about a batch"],
)
def test_every_flag_that_is_named_is_one_of_its_command(flags: Flags, commands: list[Callable[..., None]]):
    known = {name for command in commands for name in inspect.signature(command).parameters}
    named = {flag for text in flags.values() for flag in text.replace(" or ", ", ").split(", ") if flag[:2] == "--"}
    assert {flag[2:].replace("-", "_") for flag in named} <= known
