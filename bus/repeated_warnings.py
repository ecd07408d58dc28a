"""Equal warnings are counted instead of repeated, so that a flood of bad messages is no flood of lines. Pure module:
the clock is the caller's."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

WINDOW_S = 10.0
"""Time in which equal warnings are counted together."""

MAX_LINES = 20
"""Lines of one warning in that time."""

MAX_WARNINGS = 256
"""Different warnings remembered; more are written as they come."""


@dataclass
class _Counted:
    since: float
    lines: int = 0
    left_out: int = 0


class RepeatedWarnings:
    """A structlog processor. Warnings are equal that have the same event, whatever else they say. The
    first line of the next window says how many were left out (`left_out`)."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted: dict[str, _Counted] = {}

    def __call__(self, _: Any, name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The line, or none.

        Raises:
            structlog.DropEvent: there were enough of it.
        """
        if line.get("level", name) != "warning":
            return line
        now, event = self._clock(), str(line.get("event", ""))
        counted = self._counted.get(event)
        if counted is None:
            if len(self._counted) >= MAX_WARNINGS:
                return line
            counted = self._counted[event] = _Counted(now)
        elif now - counted.since >= WINDOW_S:
            if counted.left_out:
                line["left_out"] = counted.left_out
            counted = self._counted[event] = _Counted(now)
        if counted.lines >= MAX_LINES:
            counted.left_out += 1
            raise structlog.DropEvent
        counted.lines += 1
        return line
