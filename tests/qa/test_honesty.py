# pyright: basic
"""QA is honest on 800 briefs: what can be read of them is judged, and what is judged of them is shown.

The text alone is read for all of them; a few are drawn. `python -m tests.qa.honesty` draws all.
"""

import pytest

from agents.pocket.language.reading import Reading, read
from tests.qa.honesty import (
    MOST_UNJUDGED,
    Brief,
    Judged,
    draw,
    is_wrong,
    is_wrongly_unjudged,
    judge_all,
    load,
    share,
)

SEEN = {
    "object": "car", "colour": "red", "background": "white", "style": "night", "size": "large", "position": "centre",
    "count": "one",
}  # fmt: skip


def brief(text: str, **more: object) -> Brief:
    return Brief(**({"text": text, "group": "", "shows": {}, "absent": {}, "choice": [], "unnameable": []} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize("held", [False, True])
def test_briefs_from_inside_the_world_are_judged_whole(held: bool) -> None:
    briefs = load(inside=True, held=held)
    assert share(is_wrongly_unjudged(read(one.text)) for one in briefs) <= MOST_UNJUDGED


@pytest.mark.parametrize("held", [False, True])
def test_of_briefs_from_outside_what_nobody_can_name_is_never_part_of_what_is_judged(held: bool) -> None:
    """Were each of them drawn as the best picture could show it, no certain judgement would be wrong but a few."""
    found = []
    for one in load(inside=False, held=held):
        reading = read(one.text)
        shown = {**SEEN, **{("object" if k == "kind" else k): v for k, v in reading.said.items()}}
        found.append(Judged(one, reading, 0.9 if reading.judged else None, shown))
    assert share(map(is_wrong, found)) <= 0.02


@pytest.mark.parametrize(
    ("of", "adherence", "wrong", "strictly"),
    [
        (brief("a red car", shows={"kind": "car", "colour": "red"}), 0.9, False, False),
        (brief("a red car", shows={"kind": "car", "colour": "red"}), None, False, False),
        (brief("a blue car", shows={"kind": "car", "colour": "blue"}), 0.9, True, True),
        (brief("a blue car", shows={"kind": "car", "colour": "blue"}), 0.4, False, False),
        (brief("a red car in Paris", shows={"kind": "car"}, unnameable=["Paris"]), 0.9, False, True),
        (brief("a red car", unnameable=["Paris"]), 0.9, True, True),
        (brief("a car, not red", absent={"colour": ["red"]}), 0.9, False, True),
        (brief("a car", absent={"colour": ["red"]}), 0.9, True, True),
        (brief("a blu car", shows={"colour": "blue"}), 0.9, False, True),
        (brief("a car", choice=[{"kind": "car"}, {"kind": "boat"}]), 0.9, False, False),
        (brief("a car", choice=[{"kind": "boat"}]), 0.9, True, True),
    ],
)
def test_a_certain_judgement_is_wrong_where_what_it_claims_is_not_shown(
    of: Brief, adherence: float | None, wrong: bool, strictly: bool
) -> None:
    judged = Judged(of, read(of.text), adherence, SEEN)
    assert (is_wrong(judged), is_wrong(judged, strict=True)) == (wrong, strictly)


def test_a_part_that_is_not_judged_counts_against_a_brief_from_inside() -> None:
    assert not is_wrongly_unjudged(Reading("a car"))
    assert is_wrongly_unjudged(Reading("a car", ("paris",)))
    assert is_wrongly_unjudged(Reading(None))


@pytest.mark.slow
def test_pictures_of_a_few_briefs_are_judged_as_they_are(tmp_path) -> None:
    texts = ("a red car in Paris", "a portrait of a smiling woman", "a magenta mug on a teal background")
    briefs = [brief(text) for text in texts]
    part, none, whole = judge_all(briefs, draw(briefs, tmp_path))
    assert part.adherence is not None
    assert part.adherence > 0.5
    assert none.adherence is None
    assert whole.adherence is not None
    assert (whole.named["object"], whole.named["colour"], whole.named["background"]) == ("mug", "magenta", "teal")
    assert [one.size for one in draw(briefs, tmp_path)] == [(128, 128)] * 3
