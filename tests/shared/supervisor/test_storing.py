"""When a broker that stores nothing is started again: tables of looks."""

from collections.abc import Sequence

import pytest

from agents.shared.supervisor.restart import BackOff
from agents.shared.supervisor.storing import RESTARTS, Look, StoreState, judge
from bus.disk_space import FULL_BYTES

POLICY = BackOff(first_s=5.0, factor=2.0, max_s=60.0, stable_s=300.0)
ROOM, NONE = FULL_BYTES, FULL_BYTES - 1


def verdicts(looks: Sequence[tuple[int | None, bool | None, int]], every_s: float = 2.0) -> list[str]:
    """What is decided of looks (free, stored, failed writes), one after the other."""
    state, said = StoreState(), list[str]()
    for number, (free, stored, failed) in enumerate(looks):
        state, verdict = judge(state, Look(number * every_s, free, stored, failed), POLICY)
        said.append(verdict)
    return said


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(ROOM, True, 0)] * 3, ["fine"] * 3, id="a-broker-that-stores-is-left-alone"),
        pytest.param([(NONE, None, 0)] * 50, ["full"] * 50, id="no-restart-without-room-however-long"),
        pytest.param(
            [(NONE, None, 0), (ROOM, False, 0), (ROOM, False, 0), (ROOM, True, 0)],
            ["full", "stuck", "restart", "fine"],
            id="room-that-stays-ends-a-full-disk-with-one-restart",
        ),
        pytest.param(
            [(NONE, None, 0), (ROOM, True, 0), (ROOM, True, 0), (ROOM, True, 0)],
            ["full", "stuck", "restart", "fine"],
            id="another-stream-than-the-probes-may-be-stuck-after-a-full-disk",
        ),
        pytest.param(
            [(NONE, None, 0), (ROOM, False, 0), (NONE, None, 0), (ROOM, False, 0), (ROOM, False, 0)],
            ["full", "stuck", "full", "stuck", "restart"],
            id="room-that-goes-again-is-waited-for",
        ),
        pytest.param(
            [(ROOM, True, 1), (ROOM, True, 0)],
            ["stuck", "restart"],
            id="a-failed-write-in-the-log-is-enough",
        ),
        pytest.param(
            [(ROOM, False, 0), (ROOM, True, 0), (ROOM, False, 0), (ROOM, False, 0), (ROOM, True, 0)],
            ["fine"] * 5,
            id="a-busy-machine-is-no-reason",
        ),
        pytest.param(
            [(ROOM, False, 0), (ROOM, None, 0), (ROOM, False, 0), (ROOM, None, 0), (ROOM, False, 0)],
            ["fine", "fine", "fine", "fine", "restart"],
            id="who-cannot-be-asked-neither-stores-nor-fails",
        ),
        pytest.param([(ROOM, None, 0)] * 20, ["fine"] * 20, id="an-absent-broker-is-not-started-for-its-silence"),
        pytest.param(
            [(None, False, 0)] * 4, ["fine", "fine", "restart", "fine"], id="a-disk-elsewhere-is-judged-by-its-answers"
        ),
    ],
)
def test_a_broker_is_started_again_when_it_stores_nothing_although_there_is_room(
    looks: Sequence[tuple[int | None, bool | None, int]], expected: list[str]
) -> None:
    assert verdicts(looks) == expected


@pytest.mark.parametrize(
    ("look", "within_an_hour"),
    [
        pytest.param((ROOM, False, 0), 64, id="never-stores"),
        pytest.param((ROOM, True, 1), 64, id="always-fails-a-write"),
    ],
)
def test_a_restart_that_does_not_help_makes_no_storm(look: tuple[int, bool, int], within_an_hour: int) -> None:
    said = verdicts([look] * 1800)
    assert 3 < said.count("restart") < within_an_hour
    assert "restart" not in said[-20:] or said[-20:].count("restart") == 1


def test_a_disk_that_is_full_again_and_again_makes_no_storm() -> None:
    said = verdicts([(NONE, None, 0), (ROOM, True, 0), (ROOM, True, 0)] * 600)
    assert 3 < said.count("restart") < 64


def test_after_a_long_good_time_the_next_restart_is_quick_again() -> None:
    state = StoreState(restarts=6, restarted_s=0.0)
    state, verdict = judge(state, Look(POLICY.stable_s, ROOM, True, 1), POLICY)
    assert verdict == "stuck"
    state, verdict = judge(state, Look(POLICY.stable_s + 2, ROOM, True), POLICY)
    assert (verdict, state.restarts) == ("restart", 1)


def test_the_pauses_of_a_workshop_grow_to_minutes() -> None:
    assert (RESTARTS.pause_s(1), RESTARTS.pause_s(20)) == (5.0, 600.0)
