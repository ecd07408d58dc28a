"""When a batch may begin and must have ended, and its class of service where it names none. Pure module."""

from datetime import UTC, datetime

from protocol.commands import GenerateImages
from protocol.errors import BadCommand
from protocol.parameters import ServiceClass

MAX_INTERACTIVE_PICTURES = 16
"""Pictures of a batch that somebody may sit and wait for."""


def class_of_service(wish: ServiceClass | None, quantity: int) -> ServiceClass:
    """The class of a batch: what was asked for, else interactive for a small one."""
    return wish or ("interactive" if quantity <= MAX_INTERACTIVE_PICTURES else "batch")


def check_times(command: GenerateImages, now: float) -> None:
    """See that the times of a command can be kept; `now` is seconds since the epoch.

    Raises:
        BadCommand: a deadline in the past, or one before the beginning.
    """
    begins, ends = epoch_seconds(command.not_before), epoch_seconds(command.deadline)
    if ends is not None and ends <= now:
        raise BadCommand(
            "invalid_value",
            f"the deadline {_iso_time(ends)} has passed",
            path="$.deadline",
            hint=f"it is {_iso_time(now)} now; name a later time, or leave it out",
        )
    if begins is not None and ends is not None and begins >= ends:
        raise BadCommand(
            "invalid_value",
            f"the batch may not begin before {_iso_time(begins)} and must have ended by {_iso_time(ends)}",
            path="$.not_before",
            hint="let it begin earlier, or end later",
        )


def deadline_warnings(command: GenerateImages, seconds: float | None, now: float) -> list[str]:
    """What a plan says of a deadline that its estimate, in seconds, will hardly keep."""
    begins, ends = epoch_seconds(command.not_before), epoch_seconds(command.deadline)
    if ends is None or seconds is None or max(now, begins or now) + seconds <= ends:
        return []
    return [
        f"deadline: about {seconds:.0f} s of work, and {_iso_time(ends)} is earlier; what is left then is cancelled"
    ]


_EARLIEST = datetime(1, 1, 1, tzinfo=UTC).timestamp()
_LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def epoch_seconds(moment: datetime | None) -> float | None:
    """Seconds since the epoch; of a moment that UTC has no year for, those of the nearest one that it has."""
    return None if moment is None else min(max(moment.timestamp(), _EARLIEST), _LATEST)


def _iso_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
