"""What becomes of a failed delivery: a table."""

import pytest

from bus.disposition import GiveUp, Retry, before_handling, on_failure
from protocol.errors import BadCommand, Unavailable

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
