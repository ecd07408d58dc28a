"""What the time of a command consists of, by the wall clock: measured by phase, and as a person reads it."""

import time

from msgspec import Struct, structs

from agents.doors.cli.terminal.plan_view import format_duration

MIN_SHOWN_S = 0.05
"""Shorter phases would be shown as 0.0 s."""


class Phases(Struct, frozen=True, kw_only=True):
    """Seconds that were measured; null is not measured (yet). `total` is the sum of the phases, by the wall clock:
    until a workshop answered, until the plan was there, until the last picture ended, until every file was handed over,
    and until a workshop that was started for the occasion had stopped. `generation` is the time of devices, summed over
    all attempts of the batch, which may be made side by side."""

    starting: float | None = None
    plan: float | None = None
    making: float | None = None
    handing_over: float | None = None
    stopping: float | None = None
    total: float | None = None
    generation: float | None = None


class PhaseClock:
    """Measures phases that follow one another, from the moment that it is made."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._seconds: dict[str, float] = {}

    def end_phase(self, name: str, at: float | None = None) -> None:
        """What passed since the last phase was this one; it ended now, or `at` a time of the monotonic clock."""
        end = time.monotonic() if at is None else at
        self._seconds[name] = self._seconds.get(name, 0.0) + max(0.0, end - self._last)
        self._last = max(self._last, end)

    def phases(self, generation: float | None) -> Phases:
        """What was measured until now."""
        rounded = {name: round(seconds, 3) for name, seconds in self._seconds.items()}
        return Phases(**rounded, total=round(sum(rounded.values()), 3), generation=generation)


def format_phases(phases: Phases) -> str:
    """`12.3 s (plan 0.2 s, making 9.0 s, handing over 3.1 s; device 8.1 s)`."""
    named = structs.asdict(phases)
    parts = [
        f"{name.replace('_', ' ')} {format_duration(seconds)}"
        for name, seconds in named.items()
        if name not in ("total", "generation") and seconds is not None and seconds >= MIN_SHOWN_S
    ]
    said = [", ".join(parts)] if parts else []
    said += [f"device {format_duration(phases.generation)}"] if phases.generation is not None else []
    total = format_duration(phases.total) if phases.total is not None else "not measured"
    return f"{total} ({'; '.join(said)})" if said else total
