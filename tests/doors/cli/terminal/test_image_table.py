"""What the report of a batch says of words that no score speaks of."""

from msgspec import UNSET

from agents.doors.cli.terminal.image_table import MAX_INDICES, NOTHING, unjudged_lines
from protocol.results import Image


def image(index: int, score: float | None = 0.9, words: list[str] | None = None) -> Image:
    return Image(id=f"gen_{index}", index=index, status="completed", quality_score=score, not_judged=words or UNSET)


def test_words_of_all_pictures_are_said_once() -> None:
    assert unjudged_lines([image(0, words=["paris"]), image(1, words=["paris"])]) == ["not judged     paris"]


def test_words_of_some_pictures_name_these() -> None:
    images = [
        image(0),
        image(1, words=["rain", "paris"]),
        *(image(2 + n, words=["fog"]) for n in range(MAX_INDICES + 3)),
    ]
    first, second = unjudged_lines(images)
    assert first == "not judged     rain, paris  (#1)"
    assert second.startswith("not judged     fog  (#2, #3")
    assert second.endswith("and 3 more)")


def test_pictures_without_a_score_are_said_to_be_compared_with_nothing() -> None:
    assert unjudged_lines([image(0, None)]) == [f"not judged     {NOTHING}"]
    assert unjudged_lines([image(0)]) == []
