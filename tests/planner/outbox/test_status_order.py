"""No older status follows a newer one."""

from agents.planner.outbox.status_order import StatusOrder


def test_a_status_that_is_older_than_the_last_one_is_not_told() -> None:
    told = StatusOrder()
    assert told.accept("gen_1", 5)
    assert not told.accept("gen_1", 4)
    assert told.accept("gen_1", 6)


def test_the_same_status_may_be_told_again() -> None:
    told = StatusOrder()
    assert told.accept("gen_1", 5)
    assert told.accept("gen_1", 5)


def test_batches_do_not_stand_in_each_others_way_and_only_the_last_are_remembered() -> None:
    told = StatusOrder(batches=2)
    for name in ("gen_1", "gen_2", "gen_3"):
        assert told.accept(name, 5)
    assert not told.accept("gen_2", 4)
    assert told.accept("gen_1", 4)
