"""Whose picture is next: table tests of the window."""

from collections import Counter
from dataclasses import replace

import pytest

from agents.planner.scheduling.window import AGE_S, BatchDemand, Share, Window
from protocol.parameters import ServiceClass


def waiting(
    name: str,
    client: str = "local",
    ready: int = 100,
    priority: ServiceClass = "batch",
    in_flight: int = 0,
    platform: str = "pocket",
) -> BatchDemand:
    return BatchDemand(name, client, platform, priority, ready, in_flight)


def window_with(
    bound: int, *standings: BatchDemand, shares: dict[str, Share] | None = None, now: float = 0.0
) -> Window:
    window = Window(bound)
    window.replace_all([replace(standing) for standing in standings], shares or {}, now)
    return window


@pytest.mark.parametrize(
    ("bound", "standings", "shares", "expected"),
    [
        (8, [], {}, {}),
        (8, [waiting("a", ready=3)], {}, {"a": 3}),
        (8, [waiting("a")], {}, {"a": 8}),
        (8, [waiting("a", in_flight=5)], {}, {"a": 3}),
        (8, [waiting("a", in_flight=9)], {}, {}),
        (8, [waiting("a", ready=0, in_flight=6), waiting("b")], {}, {"b": 2}),
        (8, [waiting("a", "acme"), waiting("b", "zeta")], {}, {"a": 4, "b": 4}),
        (8, [waiting("a", "acme"), waiting("b", "zeta", ready=1)], {}, {"a": 7, "b": 1}),
        (8, [waiting("a1", "acme"), waiting("a2", "acme"), waiting("b", "zeta")], {}, {"a1": 2, "a2": 2, "b": 4}),
        (8, [waiting("a", "acme"), waiting("b", "zeta")], {"acme": Share(weight=3)}, {"a": 6, "b": 2}),
        (8, [waiting("a", "acme"), waiting("b", "zeta")], {"acme": Share(max_in_flight=1)}, {"a": 1, "b": 7}),
        (8, [waiting("a", "acme")], {"acme": Share(max_in_flight=0)}, {}),
        (8, [waiting("a", priority="interactive", ready=3), waiting("b", "zeta")], {}, {"a": 3, "b": 5}),
        (8, [waiting("a", priority="interactive"), waiting("b", "zeta")], {}, {"a": 8}),
        (8, [waiting("a", in_flight=8, platform="flux"), waiting("b")], {}, {"b": 8}),
    ],
)
def test_free_places_are_shared_among_the_batches_that_wait(
    bound: int, standings: list[BatchDemand], shares: dict[str, Share], expected: dict[str, int]
) -> None:
    assert window_with(bound, *standings, shares=shares).grant("pocket", 0.0) == expected


def one_by_one(window: Window, count: int, now: float = 0.0) -> list[str]:
    """The batches that get the next pictures when each ends before the next is handed out."""
    order: list[str] = []
    for _ in range(count):
        (name,) = window.grant("pocket", now)
        order.append(name)
        standing = window.demand_of(name)
        window.update(replace(standing, in_flight=standing.in_flight - 1), now)
    return order


def test_clients_take_turns_of_their_weight_whatever_the_number_of_their_batches() -> None:
    window = window_with(
        1, waiting("a1", "acme"), waiting("a2", "acme"), waiting("b", "zeta"), shares={"zeta": Share(weight=2)}
    )
    assert one_by_one(window, 9) == ["a1", "b", "b", "a2", "b", "b", "a1", "b", "b"]


def test_a_small_batch_goes_through_beside_a_million_pictures() -> None:
    window = window_with(1, waiting("huge", "acme", ready=1_000_000))
    one_by_one(window, 5)
    window.update(waiting("small", "zeta", ready=10), 0.0)
    assert Counter(one_by_one(window, 20)) == {"huge": 10, "small": 10}


def test_a_turn_that_a_full_window_cuts_short_goes_on_when_a_place_is_free() -> None:
    window = window_with(2, waiting("a", "acme"), waiting("b", "zeta"), shares={"acme": Share(weight=3)})
    assert window.grant("pocket", 0.0) == {"a": 2}
    window.update(waiting("a", "acme", ready=98, in_flight=0), 0.0)
    assert window.grant("pocket", 0.0) == {"a": 1, "b": 1}


def test_nothing_is_saved_up_while_nothing_waits() -> None:
    window = window_with(1, waiting("a", "acme", ready=1), waiting("b", "zeta"), shares={"acme": Share(weight=5)})
    assert one_by_one(window, 3) == ["a", "b", "b"]
    window.update(waiting("a", "acme", ready=10), 0.0)
    assert Counter(one_by_one(window, 12)) == {"a": 10, "b": 2}


def test_a_batch_that_was_given_nothing_for_long_gets_one_picture_among_interactive_ones() -> None:
    window = window_with(1, waiting("talk", "acme", priority="interactive"), waiting("bulk", "zeta"))
    assert one_by_one(window, 5) == ["talk"] * 5
    assert Counter(one_by_one(window, 6, now=AGE_S)) == {"talk": 5, "bulk": 1}
    assert one_by_one(window, 5, now=AGE_S + 1) == ["talk"] * 5
    assert "bulk" in one_by_one(window, 2, now=2 * AGE_S)


def test_waiting_long_makes_nobody_more_than_a_client_among_others() -> None:
    old = [waiting(f"bulk{number}", "zeta") for number in range(50)]
    window = window_with(1, waiting("talk", "acme", priority="interactive"), *old)
    assert Counter(name[:4] for name in one_by_one(window, 20, now=AGE_S)) == {"talk": 10, "bulk": 10}


def test_a_batch_may_change_its_class() -> None:
    window = window_with(1, waiting("a", "acme"), waiting("b", "zeta"))
    window.update(waiting("b", "zeta", priority="interactive"), 0.0)
    assert one_by_one(window, 3) == ["b"] * 3
    window.update(waiting("b", "zeta"), 0.0)
    assert Counter(one_by_one(window, 4)) == {"a": 2, "b": 2}


def test_a_batch_that_is_not_in_the_survey_is_forgotten_and_holds_no_place() -> None:
    window = window_with(4, waiting("a", in_flight=4), waiting("b"))
    assert window.grant("pocket", 0.0) == {}
    window.replace_all([waiting("b")], {}, 0.0)
    assert window.grant("pocket", 0.0) == {"b": 4}


def test_an_upgrade_of_memory_by_a_survey_keeps_everybodys_turn() -> None:
    window = window_with(1, waiting("a", "acme"), waiting("b", "zeta"))
    assert one_by_one(window, 1) == ["a"]
    window.replace_all([waiting("a", "acme"), waiting("b", "zeta")], {}, 0.0)
    assert one_by_one(window, 2) == ["b", "a"]


def test_a_thousand_batches_are_served_evenly() -> None:
    window = window_with(64, *(waiting(f"b{number}", f"c{number % 10}", ready=3) for number in range(1000)))
    served: Counter[str] = Counter()
    while granted := window.grant("pocket", 0.0):
        for name, count in granted.items():
            served[name] += count
            standing = window.demand_of(name)
            window.update(replace(standing, in_flight=0), 0.0)
    assert set(served.values()) == {3}
    assert len(served) == 1000
