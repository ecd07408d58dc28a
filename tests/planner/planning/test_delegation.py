"""Briefs that ask for other work than pictures, and ordinary ones with the same words."""

import json
from pathlib import Path

import pytest

from agents.planner.planning.delegation import check_own_work, find_delegate, works_here
from protocol.errors import Refused

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "delegation_briefs.jsonl").read_text(encoding="utf-8").splitlines()
]
"""Three sets of 60 requests for other work and 60 ordinary briefs, each written by someone who had not seen the rules.
Of the third, which was looked at last, 56 requests were found at first sight and no ordinary brief was refused."""


def briefs_of(number: int, *, genuine: bool) -> list[tuple[str, str]]:
    found = [(str(case["brief"]), str(case["delegate"])) for case in CASES if case["set"] == number]
    assert len(found) == 120
    return [(brief, name) for brief, name in found if (name != "None") == genuine]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_at_least_nine_of_ten_requests_for_other_work_are_found_and_given_to_who_does_it(number: int) -> None:
    genuine = briefs_of(number, genuine=True)
    found = [(brief, name, delegate.name) for brief, name in genuine if (delegate := find_delegate(brief))]

    assert len(genuine) == 60
    assert len(found) >= 54
    assert sum(name == chosen for _, name, chosen in found) >= 54


@pytest.mark.parametrize("number", [1, 2, 3])
def test_no_ordinary_brief_is_refused_for_the_words_in_it(number: int) -> None:
    assert [brief for brief, _ in briefs_of(number, genuine=False) if find_delegate(brief)] == []


@pytest.mark.parametrize(
    ("brief", "name"),
    [
        ("Make a 10 second video of a red car", "ai-video-production-master"),
        ("Classify these 200 photos into cats and dogs", "computer-vision-pipeline"),
        ("Compute CLIP embeddings for all our product images", "multimodal-embedding-generator"),
        ("Train a LoRA on my 30 product photos", "ai-ml-engineer"),
        ("Set up a GPU cluster on Kubernetes for our image service", "devops-engineer"),
        ("Build a landing page for my bakery", "frontend-developer"),
        ("Define the art direction for our spring campaign", "digital-artist"),
    ],
)
def test_each_kind_of_other_work_names_its_delegate_and_what_would_work_here(brief: str, name: str) -> None:
    with pytest.raises(Refused) as refused:
        check_own_work(brief)

    body = refused.value.body
    assert (body.code, body.path, body.delegate_to) == ("delegate", "$.brief", name)
    assert name in (body.hint or "")
    assert works_here(body.delegate_to)


def test_a_text_of_the_largest_size_is_read_in_bounded_time() -> None:
    for text in (
        "please " * 1000,
        "make " + "big " * 1500,
        "turn " + "x " * 2000 + "into a",
        "detect a " + "b " * 2000,
    ):
        assert find_delegate(text) is None


@pytest.mark.parametrize(
    "brief",
    [
        None,
        "",
        "a red car on a white background",
        "Vintage camera with photos on a wooden table",
        "beautiful composition, warm palette, portrait of a woman",
        "masterpiece, cinematic composition, muted palette, foggy harbour",
        "Red button on a page of a book",
        "Server racks, GPU cluster, blue light",
        "dancers in slow motion, 30 s exposure",
    ],
)
def test_a_brief_for_a_picture_passes(brief: str | None) -> None:
    check_own_work(brief)
    assert works_here(None) == []


@pytest.mark.parametrize(
    "brief",
    [
        "bring the forest to life in watercolour",
        "let me see the ocean and make it dance",
        "rain on a window, and let the lights dance",
    ],
)
def test_life_and_motion_in_a_picture_that_is_to_be_drawn_are_no_video(brief: str) -> None:
    assert find_delegate(brief) is None


@pytest.mark.parametrize("brief", ["bring this photo of my dog to life", "take my portrait photo and make it blink"])
def test_a_picture_that_somebody_has_is_made_to_move_in_a_video(brief: str) -> None:
    found = find_delegate(brief)
    assert found is not None
    assert found.name == "ai-video-production-master"
