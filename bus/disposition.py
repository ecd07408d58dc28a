"""What becomes of a delivery whose handling failed. Pure module."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.codec import error_of
from protocol.errors import AcpError, Unavailable


@dataclass(frozen=True)
class Retry:
    """Deliver it again after `delay_s` seconds."""

    delay_s: float


@dataclass(frozen=True)
class GiveUp:
    """Move it to the dead letters, and let the planner know."""

    error: AcpError


def on_failure(failure: BaseException, delivered: int, max_deliver: int, backoff: Sequence[float]) -> Retry | GiveUp:
    """A known error that no repetition cures is given up at once, anything else at the last delivery.

    `delivered` counts from 1; `backoff` holds the delay in seconds after each delivery, its last for all that follow.
    """
    curable = not isinstance(failure, AcpError) or failure.retryable
    if curable and delivered < max_deliver:
        return Retry(backoff[min(delivered, len(backoff)) - 1] if backoff else 0.0)
    return GiveUp(error_of(failure))


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
