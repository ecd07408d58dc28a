"""What becomes of a failed delivery: a table."""

import errno

import pytest

from bus.disposition import ROOM_WAIT_S, AwaitRoom, GiveUp, Retry, before_handling, on_failure
from protocol.errors import BadCommand, DiskFull, Unavailable

BACKOFF = (0.5, 2.0, 5.0)
LATER = Unavailable("timeout", "busy")
NEVER = BadCommand("invalid_value", "wrong")
UNKNOWN = ZeroDivisionError("a defect")


@pytest.mark.parametrize(
    ("failure", "delivered", "expected"),
    [
        pytest.param(LATER, 1, Retry(0.5), id="first-delivery-waits-the-first-delay"),
        pytest.param(LATER, 2, Retry(2.0), id="second-delivery-waits-the-second"),
        pytest.param(LATER, 4, Retry(5.0), id="the-last-delay-holds-for-all-that-follow"),
        pytest.param(LATER, 5, GiveUp(LATER), id="the-last-delivery-is-given-up"),
        pytest.param(NEVER, 1, GiveUp(NEVER), id="what-no-repetition-cures-is-given-up-at-once"),
        pytest.param(UNKNOWN, 1, Retry(0.5), id="a-defect-gets-another-chance"),
    ],
)
def test_a_failure_becomes_a_retry_or_is_given_up(failure: Exception, delivered: int, expected: Retry | GiveUp) -> None:
    assert on_failure(failure, delivered, max_deliver=5, backoff=BACKOFF) == expected


@pytest.mark.parametrize("failure", [DiskFull(), OSError(errno.ENOSPC, "no room"), OSError(errno.EDQUOT, "no share")])
@pytest.mark.parametrize(("tried", "delay_s"), [(1, 0.5), (2, 2.0), (3, 5.0), (1000, ROOM_WAIT_S)])
def test_a_full_disk_is_waited_for_and_never_given_up(failure: Exception, tried: int, delay_s: float) -> None:
    assert on_failure(failure, 5, 5, (*BACKOFF, 60.0), tried) == AwaitRoom(delay_s)


def test_a_defect_at_the_last_delivery_is_given_up_without_its_text() -> None:
    decision = on_failure(ZeroDivisionError("secret"), 5, max_deliver=5, backoff=BACKOFF)
    assert isinstance(decision, GiveUp)
    assert decision.error.code == "internal"
    assert "secret" not in str(decision.error)


def test_without_a_back_off_a_retry_is_immediate() -> None:
    assert on_failure(LATER, 1, max_deliver=2, backoff=()) == Retry(0.0)


@pytest.mark.parametrize(("delivered", "poison"), [(1, False), (5, False), (6, True)])
def test_what_was_delivered_more_often_than_allowed_is_not_handled_again(delivered: int, poison: bool) -> None:
    assert (before_handling(delivered, max_deliver=5) is not None) is poison
