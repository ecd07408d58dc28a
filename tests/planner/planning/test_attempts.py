"""Attempts: who gets another one, and which candidate is kept."""

import pytest

from agents.planner.planning.attempts import Candidate, Decision, after_failure, after_loss, after_rejection, seed_of
from protocol.errors import ErrorBody
from protocol.ids import MAX_SEED

LOST = ErrorBody(code="internal", message="the device went away", retryable=True)
GONE = ErrorBody(code="pixels_missing", message="there is no blob", retryable=True)
IMPOSSIBLE = ErrorBody(code="not_installed", message="no such model")


@pytest.mark.parametrize(
    ("candidates", "made", "allowed", "decision"),
    [
        ([Candidate(1, 0.3)], 1, 3, Decision("again", 2)),
        ([Candidate(1, 0.3), Candidate(2, 0.2)], 2, 3, Decision("again", 3)),
        ([Candidate(1, 0.3), Candidate(2, 0.4), Candidate(3, 0.2)], 3, 3, Decision("keep", 2)),
        ([Candidate(1, 0.4), Candidate(2, 0.4)], 2, 2, Decision("keep", 1)),
        ([Candidate(1, None), Candidate(2, 0.0)], 2, 2, Decision("keep", 2)),
        ([], 1, 1, Decision("fail")),
    ],
)
def test_a_rejected_picture_is_made_again_until_its_attempts_are_used_then_the_best_is_kept(
    candidates: list[Candidate], made: int, allowed: int, decision: Decision
) -> None:
    assert after_rejection(candidates, made, allowed) == decision


@pytest.mark.parametrize(
    ("error", "candidates", "made", "decision"),
    [
        (LOST, [], 1, Decision("again", 2)),
        (LOST, [], 3, Decision("fail")),
        (LOST, [Candidate(1, 0.2)], 3, Decision("keep", 1)),
        (IMPOSSIBLE, [], 1, Decision("fail")),
    ],
)
def test_only_a_failure_that_may_pass_is_worth_another_attempt(
    error: ErrorBody, candidates: list[Candidate], made: int, decision: Decision
) -> None:
    assert after_failure(error, candidates, made, 3) == decision


@pytest.mark.parametrize(
    ("error", "kept", "made", "decision"),
    [
        (GONE, False, 1, Decision("again", 2)),
        (GONE, False, 3, Decision("fail")),
        (GONE, True, 1, Decision("fail")),
        (LOST, False, 1, Decision("fail")),
    ],
)
def test_an_accepted_picture_whose_pixels_are_gone_is_made_again(
    error: ErrorBody, kept: bool, made: int, decision: Decision
) -> None:
    assert after_loss(error, kept, made, 3) == decision


def test_first_attempts_count_up_from_the_seed_that_was_asked_for() -> None:
    assert [seed_of(42, index, 1) for index in range(3)] == [42, 43, 44]
    assert seed_of(MAX_SEED, 1, 1) == 0


def test_later_attempts_never_repeat_a_seed_of_the_batch() -> None:
    seeds = [seed_of(7, index, attempt) for index in range(1000) for attempt in (1, 2, 3)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed <= MAX_SEED for seed in seeds)
