"""What a plan says of how its pictures will be judged, as a table of commands."""

import pytest

from agents.planner.planning.judgement import MAX_PHRASES, TECHNICAL, judgement_notes
from protocol.commands import GenerateImages
from protocol.parameters import Region, Sweep

POCKET = frozenset({"pocket"})
BOTH = frozenset({"pocket", "*"})


@pytest.mark.parametrize(
    ("command", "notes"),
    [
        (GenerateImages(), []),
        (GenerateImages(brief="a lovely red car on a white background"), []),
        (GenerateImages(brief="a {red|blue|green} car on a {white|black} background"), []),
        (
            GenerateImages(brief="a portrait of a smiling woman"),
            [
                "pocket does not know these words: smiling woman",
                f"nothing of the prompt can be judged: there is no score, and min_score rests on {TECHNICAL}",
            ],
        ),
        (
            GenerateImages(brief="a red car in Paris"),
            ["pocket does not know these words: paris", "score and min_score speak of the rest only: a red car"],
        ),
        (
            GenerateImages(brief="a red kar"),
            [
                "pocket does not know these words: red kar (kar: did you mean car?)",
                f"nothing of the prompt can be judged: there is no score, and min_score rests on {TECHNICAL}",
            ],
        ),
        (
            GenerateImages(prompts=["a red car", "a cat"], brief="ignored"),
            [
                "pocket does not know these words: cat",
                "1 of 2 prompts cannot be judged: their pictures get no score, and min_score rests on " + TECHNICAL,
            ],
        ),
        (
            GenerateImages(subjects=["a mug", "a car"], brief="rain"),
            ["pocket does not know these words: rain", "score and min_score speak of the rest only: a mug, a car"],
        ),
        (
            GenerateImages(sweep=Sweep(values={"prompt": ["a rusty car"]})),
            ["pocket does not know these words: rusty", "score and min_score speak of the rest only: a car"],
        ),
        (
            GenerateImages(sweep=Sweep(values={"brief": ["a rusty car", "a mug"]}), brief="a cat"),
            ["pocket does not know these words: rusty", "score and min_score speak of the rest only: a car"],
        ),
        (
            GenerateImages(brief="a cat", regions=[Region(prompt="a wet car", box=[0.0, 0.0, 0.5, 1.0])]),
            ["pocket does not know these words: wet", "score and min_score speak of the rest only: a car"],
        ),
        (GenerateImages(brief="a red car, (fog in Paris:-1)"), []),
        (GenerateImages(brief="a <lime> ball"), ["score and min_score speak of the rest only: a ball"]),
        (GenerateImages(brief="a red zephyr car"), ["score and min_score speak of the rest only: a red car"]),
    ],
)
def test_a_plan_for_the_pocket_model_names_the_words_that_nothing_judges(
    command: GenerateImages, notes: list[str]
) -> None:
    assert judgement_notes(command, "pocket", POCKET, ["Zephyr rocket"]) == notes


def test_the_words_are_named_before_any_qa_process_is_there() -> None:
    command = GenerateImages(brief="a portrait of a smiling woman")
    assert judgement_notes(command, "pocket", None) == judgement_notes(command, "pocket", POCKET)


def test_many_strange_words_are_counted() -> None:
    [named, _] = judgement_notes(
        GenerateImages(brief="a car, " + ", ".join(f"wug{n}" for n in range(20))), "pocket", None
    )
    assert named.endswith(f", wug{MAX_PHRASES - 1}, {20 - MAX_PHRASES} more")


def test_a_model_without_a_scorer_is_told_what_its_bar_rests_on() -> None:
    command = GenerateImages(brief="a cat")
    [note] = judgement_notes(command, "base_sdxl", POCKET)
    assert "no scorer judges pictures of base_sdxl" in note
    assert f"min_score rests on {TECHNICAL}" in note
    assert "bottega models calibrate" in note
    assert judgement_notes(command, "base_sdxl", BOTH) == judgement_notes(command, "base_sdxl", None) == []
    assert "no scorer judges pictures of pocket" in judgement_notes(command, "pocket", frozenset())[0]


def test_the_syntax_of_prompts_is_no_word_of_them() -> None:
    weighted = GenerateImages(prompts=["a (red:1.4) car on a ((white)) background"])

    assert judgement_notes(weighted, "pocket", ["pocket"]) == []


def test_what_known_words_say_together_is_told_apart_from_words_that_are_not_known() -> None:
    command = GenerateImages(prompts=["a red car and a tree", "a mug with a handle"])

    assert judgement_notes(command, "pocket", POCKET)[:2] == [
        "pocket does not know these words: handle",
        "these cannot be judged in a picture: red car and a tree",
    ]
