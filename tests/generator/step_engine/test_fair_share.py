"""Whose step is next: classes, ageing, clients in turn by device time, and who may join a call."""

from collections import Counter
from dataclasses import replace

from agents.generator.step_engine.fair_share import AGE_S, FairShare, WaitingRun

ONE = WaitingRun(number=1, client="studio", key="sdxl", interactive=False, since=0.0, rows=2, cost_ms=10.0)


def numbers(turns: FairShare, *waiting: WaitingRun, room: int = 8, now: float = 0.0) -> list[int]:
    return [one.number for one in turns.next_call(waiting, lambda _: room, now)]


def many(count: int, first: int = 1, **fields: object) -> list[WaitingRun]:
    return [replace(ONE, number=first + offset, **fields) for offset in range(count)]  # pyright: ignore[reportArgumentType]


def test_those_who_waited_longest_fill_the_call():
    waiting = [replace(one, since=-one.number) for one in many(6)]
    assert numbers(FairShare(), *waiting) == [6, 5, 4, 3]


def test_the_first_is_served_even_where_there_is_no_room():
    assert numbers(FairShare(), ONE, replace(ONE, number=2), room=1) == [1]


def test_a_row_that_is_left_goes_to_a_picture_of_one_row():
    assert numbers(FairShare(), *many(2), replace(ONE, number=3, rows=1), room=3) == [1, 3]


def test_other_kinds_of_call_wait():
    assert numbers(FairShare(), ONE, replace(ONE, number=2, key="flux"), replace(ONE, number=3)) == [1, 3]


def test_kinds_of_call_alternate_because_the_one_that_was_not_called_waited_longer():
    turns = FairShare()
    sdxl, flux = ONE, replace(ONE, number=2, key="flux")
    order: list[int] = []
    for now in range(1, 7):
        (made,) = numbers(turns, sdxl, flux)
        order.append(made)
        sdxl, flux = (replace(one, since=float(now)) if one.number == made else one for one in (sdxl, flux))
    assert order == [1, 2, 1, 2, 1, 2]


def test_a_picture_that_shares_with_nobody_is_alone_and_joins_nobody():
    alone = replace(ONE, number=2, alone=True)
    assert numbers(FairShare(), replace(alone, since=-1.0), ONE) == [2]
    assert numbers(FairShare(), ONE, alone, replace(ONE, number=3)) == [1, 3]


def test_interactive_steps_go_first_and_others_fill_up():
    interactive = replace(ONE, number=9, since=5.0, interactive=True)
    assert numbers(FairShare(), *many(4), interactive) == [9, 1, 2, 3]


def test_an_interactive_step_parks_those_of_another_kind():
    interactive = replace(ONE, number=9, since=5.0, interactive=True, key="flux")
    assert numbers(FairShare(), *many(4), interactive) == [9]


def test_a_step_that_waited_too_long_goes_with_the_interactive_ones():
    interactive = replace(ONE, number=9, since=AGE_S, interactive=True, key="flux")
    assert numbers(FairShare(), ONE, interactive, now=AGE_S - 1) == [9]
    assert numbers(FairShare(), ONE, interactive, now=AGE_S) == [1]


def test_a_client_with_few_pictures_gets_half_of_each_call_beside_one_with_many():
    turns = FairShare()
    waiting = [*many(40), *many(3, first=100, client="rival")]
    given = Counter(number >= 100 for _ in range(10) for number in numbers(turns, *waiting, room=4))
    assert given == {False: 10, True: 10}


def test_time_of_the_device_is_shared_and_not_steps():
    turns = FairShare()
    dear, cheap = replace(ONE, cost_ms=30.0, key="flux"), replace(ONE, number=2, client="rival", cost_ms=10.0)
    made: Counter[int] = Counter()
    for now in range(200):
        (number,) = numbers(turns, dear, cheap, now=float(now))
        made[number] += 1
    assert 2.8 < made[2] / made[1] < 3.2


def test_nothing_is_saved_up_while_nothing_waits():
    turns = FairShare()
    for _ in range(50):
        numbers(turns, ONE)
    both = [*many(2), *many(2, first=10, client="late")]
    given = [number >= 10 for _ in range(20) for number in numbers(turns, *both, room=2)]
    assert 9 <= sum(given) <= 11
