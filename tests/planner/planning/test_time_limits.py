"""When a batch may begin and must have ended: table tests."""

from datetime import UTC, datetime

import pytest

from agents.planner.planning.time_limits import (
    MAX_INTERACTIVE_PICTURES,
    check_times,
    class_of_service,
    deadline_warnings,
    epoch_seconds,
)
from protocol.commands import GenerateImages
from protocol.errors import BadCommand


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("begins", "ends", "path"),
    [
        (None, None, None),
        (500.0, None, None),
        (50.0, None, None),
        (None, 500.0, None),
        (200.0, 500.0, None),
        (None, 100.0, "$.deadline"),
        (None, 50.0, "$.deadline"),
        (500.0, 500.0, "$.not_before"),
        (600.0, 500.0, "$.not_before"),
    ],
)
def test_a_deadline_lies_ahead_and_after_the_beginning(
    begins: float | None, ends: float | None, path: str | None
) -> None:
    command = GenerateImages(not_before=at(begins), deadline=at(ends))
    if path is None:
        check_times(command, now=100.0)
        return
    with pytest.raises(BadCommand) as caught:
        check_times(command, now=100.0)
    assert caught.value.body.path == path
    assert caught.value.body.hint


@pytest.mark.parametrize(
    ("begins", "ends", "seconds", "warned"),
    [
        (None, None, 50.0, False),
        (None, 200.0, None, False),
        (None, 200.0, 100.0, False),
        (None, 200.0, 101.0, True),
        (150.0, 200.0, 51.0, True),
        (50.0, 200.0, 99.0, False),
    ],
)
def test_a_plan_says_when_its_deadline_will_hardly_be_kept(
    begins: float | None, ends: float | None, seconds: float | None, warned: bool
) -> None:
    notes = deadline_warnings(GenerateImages(not_before=at(begins), deadline=at(ends)), seconds, now=100.0)
    assert [note.split(":")[0] for note in notes] == (["deadline"] if warned else [])


def test_a_small_batch_is_interactive_unless_something_else_is_wished() -> None:
    assert class_of_service(None, MAX_INTERACTIVE_PICTURES) == "interactive"
    assert class_of_service(None, MAX_INTERACTIVE_PICTURES + 1) == "batch"
    assert class_of_service("batch", 1) == "batch"
    assert class_of_service("interactive", 1000) == "interactive"


def test_moments_are_seconds_since_the_epoch() -> None:
    assert epoch_seconds(None) is None
    assert epoch_seconds(datetime(1970, 1, 2, tzinfo=UTC)) == 86400.0
