"""Which pictures are unlike the others, as a table: likeness is the cosine to the centre of all."""

import math
import random
import struct

import pytest

from agents.planner.planning.consistency import (
    FiledPicture,
    compare,
    enforcement_warnings,
    is_nearer,
    likeness,
    next_attempt,
    unmeasured_notes,
)
from protocol.commands import GenerateImages
from protocol.parameters import ImageSource, Quality, Reference


def at(degrees: float, length: int = 2) -> bytes:
    """A unit vector in this direction."""
    turned = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return struct.pack(f"<{length}e", *turned, *[0.0] * (length - 2))


def filed(*directions: float | bytes | None) -> list[FiledPicture]:
    """Pictures of these embeddings, in the order of their indices."""
    return [
        FiledPicture(index, at(one) if isinstance(one, int | float) else one, 2) for index, one in enumerate(directions)
    ]


@pytest.mark.parametrize(
    ("directions", "bound", "outliers"),
    [
        ([], 0.9, []),
        ([0], 0.9, []),
        ([0, 0, 0], 0.9, []),
        ([0, 90, 0, 0], 0.9, [1]),
        ([0, 90, 0, 0], 0.3, []),
        ([180, 0, 0, 0, 0, 180], 0.9, [0, 5]),
        ([0, 90], 0.9, [0, 1]),
        ([0, None, 0], 0.9, []),
        ([0, at(90, 3), 0], 0.9, []),
        ([0, b"", 90, 0, 0], 0.9, [2]),
    ],
    ids=[
        "none",
        "one",
        "equal",
        "one outlier",
        "low bound",
        "two outliers",
        "a pair",
        "no embedding",
        "other scorer",
        "empty",
    ],
)
def test_pictures_below_the_bound_are_outliers(
    directions: list[float | bytes | None], bound: float, outliers: list[int]
) -> None:
    found = compare(filed(*directions), bound)
    assert list(found.outliers) == outliers
    assert all(value < bound for value in found.outliers.values())


def test_the_order_of_arrival_decides_nothing() -> None:
    dice = random.Random(3)
    pictures = filed(*(dice.gauss(0, 40) for _ in range(40)))
    first = compare(pictures, 0.9)
    assert first.outliers
    for _ in range(20):
        dice.shuffle(pictures)
        again = compare(pictures, 0.9)
        assert (again.centre, list(again.outliers.items())) == (first.centre, list(first.outliers.items()))


def test_likeness_is_the_cosine_to_the_centre_to_four_places() -> None:
    centre = compare(filed(0, 90), 0.5).centre
    assert centre is not None
    assert likeness(at(45), centre) == 1.0
    assert likeness(at(0), centre) == 0.7071


@pytest.mark.parametrize(
    ("new", "standing", "nearer"),
    [
        (at(10), at(90), True),
        (at(90), at(90), False),
        (at(90), at(10), False),
        (None, at(90), False),
        (at(0), None, False),
        (at(0, 3), at(90), False),
    ],
)
def test_a_picture_that_was_made_again_must_be_nearer_to_the_centre(
    new: bytes | None, standing: bytes | None, nearer: bool
) -> None:
    centre = compare(filed(0, 0), 0.5).centre
    assert is_nearer(new, standing, centre) is nearer
    assert not is_nearer(new, standing, None)


@pytest.mark.parametrize(("made", "most", "following"), [(1, 3, 2), (2, 3, 3), (3, 3, None), (4, 3, 5), (1, 1, None)])
def test_attempts_end_with_their_round(made: int, most: int, following: int | None) -> None:
    assert next_attempt(made, most) == following


ALIKE = GenerateImages(quality=Quality(consistency=0.9))


@pytest.mark.parametrize(
    ("scorers", "notes"),
    [
        (None, ["consistency: no scorer is running, so pictures cannot be compared"]),
        ([], ["consistency: no scorer compares pictures of sdxl"]),
        (["pocket"], ["consistency: no scorer compares pictures of sdxl"]),
        (["sdxl"], []),
        (["pocket", "*"], []),
    ],
)
def test_what_no_scorer_compares_is_not_honoured(scorers: list[str] | None, notes: list[str]) -> None:
    assert unmeasured_notes(ALIKE, "sdxl", scorers) == notes
    assert unmeasured_notes(GenerateImages(), "sdxl", scorers) == []


def test_the_plan_says_that_outliers_are_made_again_and_that_the_highest_cost_counts_it() -> None:
    (said,) = enforcement_warnings(ALIKE, 3)
    assert "below 0.9 are made again, each up to max_attempts (3 in all); the highest cost counts every attempt" in said
    (said,) = enforcement_warnings(ALIKE, 1)
    assert said.endswith("named and not made again, since max_attempts is 1")
    assert enforcement_warnings(GenerateImages(), 3) == []


def test_a_reference_is_the_centre_of_the_pictures_that_follow_it() -> None:
    followed = [FiledPicture(one.index, one.embedding, 2, at(90)) for one in filed(0, 80, 95, 5)]

    assert list(compare(followed, 0.9).outliers) == [0, 3]
    assert list(compare(followed[:1], 0.9).outliers) == [0]
    assert list(compare([FiledPicture(0, at(0), 2, at(90, 3)), *filed(0, 0)[1:]], 0.9).outliers) == []
    assert (
        "their references"
        in enforcement_warnings(
            GenerateImages(
                brief="a mug",
                quality=Quality(consistency=0.9),
                references=[Reference(image=ImageSource(image_id="img_1"))],
            ),
            3,
        )[0]
    )


def test_where_pictures_follow_different_references_the_centre_is_that_of_all() -> None:
    apart = [FiledPicture(0, at(0), 2, at(0)), FiledPicture(1, at(90), 2, at(90)), *filed(0, 0, 0, 0)[2:]]

    assert list(compare(apart, 0.9).outliers) == [1]
