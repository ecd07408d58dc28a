"""A seed makes a campaign, the same one each time, with everything in it that was asked for."""

from collections import Counter

import pytest

from bus.failpoint import parse_rules
from tests.chaos.report import added, percentile
from tests.chaos.schedule import FULL, POINTS, arms, faults, orders, wipes

CREW = ("planner-0", "prompt-0", "generator-0", "generator-1", "qa-0", "storage-0", "storage-1")


@pytest.mark.parametrize("seed", [0, 7, 2**31])
def test_a_seed_always_makes_the_same_campaign(seed: int) -> None:
    assert orders(seed, 50) == orders(seed, 50)
    assert faults(seed, 40, CREW) == faults(seed, 40, CREW)
    assert arms(seed, 2, CREW, POINTS) == arms(seed, 2, CREW, POINTS)
    assert wipes(seed, 5) == wipes(seed, 5)


def test_another_seed_makes_another_campaign() -> None:
    assert orders(1, 50) != orders(2, 50)
    assert faults(1, 40, CREW) != faults(2, 40, CREW)
    assert arms(1, 2, CREW, POINTS) != arms(2, 2, CREW, POINTS)


def test_every_command_has_an_id_of_its_own() -> None:
    assert len({order.command_id for order in orders(3, 500)}) == 500


def test_a_campaign_has_as_many_kills_as_were_asked_for_and_some_of_everything_else() -> None:
    kinds = Counter(fault.kind for fault in faults(4, 300, CREW))

    assert kinds["kill"] == 300
    assert kinds["server"] == 15
    assert kinds["clock"] == 7
    assert set(kinds) == {"kill", "freeze", "cut", "slow", "hole", "deaf", "repeat", "server", "clock"}


def test_each_point_is_passed_as_often_as_was_asked_for_by_a_process_of_its_role() -> None:
    dealt = arms(5, 20, CREW, POINTS)

    passed = Counter((name.split("-")[0], life.split("=")[0]) for name, lives in dealt.items() for life in lives)
    assert passed == {(role, point): 20 for role, point, _ in POINTS.values()}


def test_a_full_disk_is_survived_and_ends_in_a_kill_that_frees_the_process_for_its_next_life() -> None:
    dealt = arms(5, 3, CREW, {}, FULL)

    lives = [life for lives in dealt.values() for life in lives]
    assert len(lives) == 3 * len(FULL)
    assert all([rule.action for rule in parse_rules(life)] == ["full", "kill"] for life in lives)


def test_processes_of_one_role_share_its_points() -> None:
    dealt = arms(6, 20, CREW, POINTS)

    assert len(dealt["storage-0"]) == len(dealt["storage-1"]) == 60


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([3.0], 0.99, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 201)], 0.99, 198.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_totals_add_up_over_runs_and_name_the_red_seeds() -> None:
    report = {
        "campaign": "kills",
        "seed": 7,
        "seconds": 10.0,
        "done": {"kill": 3},
        "failpoints": {},
        "counts": {"pictures": 40},
    }

    once = added({}, report | {"problems": []})
    twice = added(once, report | {"seed": 8, "problems": ["I1: a picture was lost"]})

    assert twice["campaigns"] == 2
    assert twice["clean"] == 1
    assert twice["done"] == {"kill": 6}
    assert twice["counts"] == {"pictures": 80}
    assert twice["red_seeds"] == ["kills 8"]
