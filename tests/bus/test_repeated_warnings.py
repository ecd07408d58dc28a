"""A warning that comes again and again is counted, and others are written beside it."""

from typing import Any

import pytest
import structlog

from bus.repeated_warnings import MAX_LINES, MAX_WARNINGS, WINDOW_S, RepeatedWarnings


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def written(warnings: RepeatedWarnings, event: str, level: str = "warning") -> dict[str, Any] | None:
    try:
        return dict(warnings(None, level, {"event": event, "level": level}))
    except structlog.DropEvent:
        return None


def test_equal_warnings_are_left_out_beyond_a_bound_and_counted_in_the_next_line() -> None:
    clock = Clock()
    warnings = RepeatedWarnings(clock)
    lines = [written(warnings, "a delivery failed") for _ in range(MAX_LINES + 7)]
    assert [line is not None for line in lines] == [True] * MAX_LINES + [False] * 7
    assert written(warnings, "something else") is not None

    clock.now = WINDOW_S
    assert written(warnings, "a delivery failed") == {"event": "a delivery failed", "level": "warning", "left_out": 7}
    assert "left_out" not in (written(warnings, "a delivery failed") or {})


@pytest.mark.parametrize("level", ["info", "error", "critical"])
def test_what_is_no_warning_is_always_written(level: str) -> None:
    warnings = RepeatedWarnings(Clock())
    assert all(written(warnings, "ready", level) is not None for _ in range(5 * MAX_LINES))


def test_no_more_different_warnings_are_remembered_than_the_bound() -> None:
    warnings = RepeatedWarnings(Clock())
    for number in range(MAX_WARNINGS):
        written(warnings, str(number))
    assert all(written(warnings, "one more") is not None for _ in range(3 * MAX_LINES))
