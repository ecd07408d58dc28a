"""No older status follows a newer one."""

from typing import Any

from agents.planner.tally import Tally, status_of
from agents.planner.told import Told
from protocol.replies import GenerationStatus


def status(batch: str = "gen_1", **counts: Any) -> GenerationStatus:
    return status_of(batch, Tally(quantity=10, **counts), None)


def test_a_status_that_is_older_than_the_last_one_is_not_told() -> None:
    told = Told()
    assert told.takes(status(in_flight=4, completed=1))
    assert not told.takes(status(in_flight=4))
    assert not told.takes(status())
    assert told.takes(status(in_flight=1, completed=8, failed=1))
    assert told.takes(status(completed=8, failed=1, cancelled=1))
    assert not told.takes(status(in_flight=1, completed=8, failed=1))


def test_the_same_status_may_be_told_again() -> None:
    told = Told()
    assert told.takes(status(completed=10))
    assert told.takes(status(completed=10))


def test_batches_do_not_stand_in_each_others_way_and_only_the_last_are_remembered() -> None:
    told = Told(batches=2)
    for name in ("gen_1", "gen_2", "gen_3"):
        assert told.takes(status(name, completed=5))
    assert not told.takes(status("gen_2", completed=4))
    assert told.takes(status("gen_1", completed=4))
