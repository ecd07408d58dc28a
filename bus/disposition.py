"""What becomes of a delivery whose handling failed. Pure module."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.codec import error_of
from protocol.errors import AcpError, Unavailable, is_disk_full

ROOM_WAIT_S = 5.0
"""Longest pause between two looks whether a disk has room."""


@dataclass(frozen=True)
class Retry:
    """Deliver it again after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True)
class AwaitRoom:
    """Handle the same delivery again after `delay_s` seconds: a disk is full, and how often that is found says nothing
    of the message."""

    delay_s: float


@dataclass(frozen=True)
class GiveUp:
    """Move it to the dead letters, and let the planner know."""

    error: AcpError


def on_failure(
    failure: BaseException, delivered: int, max_deliver: int, backoff: Sequence[float], tried: int = 1
) -> Retry | AwaitRoom | GiveUp:
    """A known error that no repetition cures is given up at once, a full disk never, anything else at the last
    delivery.

    `delivered` counts from 1, as does `tried` within one delivery; `backoff` holds the delay in seconds after each, its
    last for all that follow.
    """
    if is_disk_full(failure):
        return AwaitRoom(min(ROOM_WAIT_S, _delay_after(tried, backoff)))
    curable = not isinstance(failure, AcpError) or failure.retryable
    if curable and delivered < max_deliver:
        return Retry(_delay_after(delivered, backoff))
    return GiveUp(error_of(failure))


def _delay_after(times: int, backoff: Sequence[float]) -> float:
    return backoff[min(times, len(backoff)) - 1] if backoff else 0.0


def before_handling(delivered: int, max_deliver: int) -> GiveUp | None:
    """Give up, without handling, what was delivered too often: it ended its process each time before it could fail."""
    if delivered <= max_deliver:
        return None
    return GiveUp(
        Unavailable(
            "internal",
            f"not finished in {max_deliver} deliveries",
            hint="see the logs of the processes that took it",
        )
    )
