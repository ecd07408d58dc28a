"""Whoever asks more than is answered waits behind himself, and nobody else does."""

import pytest

from bus.fair_queue import MAX_REFUSALS_PER_S, FairQueue


def taken(queue: FairQueue[str]) -> list[str]:
    found: list[str] = []
    while (turn := queue.take()) is not None:
        found.append(turn[2])
    return found


def test_askers_are_served_in_turn() -> None:
    queue = FairQueue[str](max_in_hand=10)
    for item in ("a1", "a2", "a3"):
        assert queue.put("a", item, 1, 0.0) is None
    assert queue.put("b", "b1", 1, 0.0) is None
    assert taken(queue) == ["a1", "b1", "a2", "a3"]


def test_an_asker_has_no_more_in_hand_than_the_bound_and_goes_on_when_one_ends() -> None:
    queue = FairQueue[str](max_in_hand=2)
    for number in range(4):
        queue.put("a", f"a{number}", 1, 0.0)
    assert taken(queue) == ["a0", "a1"]
    queue.end("a", 0.1)
    assert taken(queue) == ["a2"]


def test_a_full_queue_refuses_its_asker_alone_and_says_when_to_come_back() -> None:
    queue = FairQueue[str](max_waiting=2, max_in_hand=1)
    assert [queue.put("a", str(n), 1, 0.0) is None for n in range(3)] == [True, True, False]
    assert queue.put("b", "b", 1, 0.0) is None
    refusal = queue.put("a", "again", 1, 0.0)
    assert refusal is not None
    assert refusal.told
    assert 0 < refusal.retry_after_s <= 10


def test_the_time_to_come_back_follows_what_an_answer_takes() -> None:
    queue = FairQueue[str](max_waiting=8, max_in_hand=1)
    queue.put("a", "first", 1, 0.0)
    for number in range(60):  # never without a request, so that it is not forgotten
        queue.put("a", str(number), 1, 0.0)
        assert queue.take() is not None
        queue.end("a", 2.0)
    for number in range(8):
        queue.put("a", str(number), 1, 0.0)
    refusal = queue.put("a", "more", 1, 0.0)
    assert refusal is not None
    assert refusal.retry_after_s == 10.0  # the longest that is said


def test_bytes_are_bounded_and_one_large_request_may_always_wait() -> None:
    queue = FairQueue[str](max_waiting_bytes=100)
    assert queue.put("a", "large", 1000, 0.0) is None
    assert queue.put("a", "small", 1, 0.0) is not None
    assert taken(queue) == ["large"]
    assert queue.put("a", "small", 1, 0.0) is None


def test_a_flood_of_names_finds_no_room_and_leaves_those_who_are_there() -> None:
    queue = FairQueue[str](max_askers=3)
    assert [queue.put(f"n{n}", "x", 1, 0.0) is None for n in range(5)] == [True, True, True, False, False]
    assert queue.put("n1", "again", 1, 0.0) is None


def test_an_asker_without_requests_is_forgotten() -> None:
    queue = FairQueue[str](max_askers=1)
    queue.put("a", "x", 1, 0.0)
    taken(queue)
    queue.end("a", 0.1)
    assert queue.put("b", "x", 1, 0.0) is None


def test_refusals_of_a_second_are_told_up_to_a_bound_and_then_counted() -> None:
    queue = FairQueue[str](max_waiting=1)
    queue.put("a", "x", 1, 0.0)
    told = [refusal.told for n in range(100) if (refusal := queue.put("a", str(n), 1, 0.5)) is not None]
    assert told.count(True) == MAX_REFUSALS_PER_S
    assert queue.untold_count == 100 - MAX_REFUSALS_PER_S
    later = queue.put("a", "x", 1, 1.6)
    assert later is not None
    assert later.told


@pytest.mark.parametrize("since", [0.0, 5.0])
def test_what_is_taken_says_since_when_it_waits(since: float) -> None:
    queue = FairQueue[str]()
    queue.put("a", "x", 1, since)
    assert queue.take() == ("a", since, "x")
