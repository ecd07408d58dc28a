"""What is remembered and told of full disks: tables."""

from collections.abc import Mapping, Sequence

import pytest

from agents.shared.supervisor.full_disks import (
    MAX_EPISODES,
    DiskRecord,
    FullDisk,
    describe,
    format_room,
    note_room,
    note_stored,
    recent,
)
from bus.disk_space import FULL_BYTES

HOME, OTHER = "/home/anna/bottega", "/other"
NOWHERE: dict[str, int] = {}
T1, T2, T3 = (f"2026-11-30T20:11:{second:02d}+00:00" for second in (1, 28, 40))


def seen(*looks: tuple[str, Mapping[str, int]]) -> list[FullDisk]:
    record = DiskRecord()
    for now, free in looks:
        record = note_room(record, free, now)
    return record.full


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        pytest.param([(T1, {HOME: FULL_BYTES})], [], id="room"),
        pytest.param([(T1, {HOME: 0}), (T2, {HOME: 0})], [(HOME, T1, None)], id="full-since-the-first-look"),
        pytest.param([(T1, {HOME: 0}), (T2, {HOME: FULL_BYTES})], [(HOME, T1, T2)], id="room-again"),
        pytest.param(
            [(T1, {HOME: 0}), (T2, {HOME: FULL_BYTES}), (T3, {HOME: 0})],
            [(HOME, T1, T2), (HOME, T3, None)],
            id="full-twice",
        ),
        pytest.param(
            [(T1, {HOME: 0, OTHER: 0}), (T2, {HOME: FULL_BYTES, OTHER: 0})],
            [(HOME, T1, T2), (OTHER, T1, None)],
            id="two-disks",
        ),
        pytest.param([(T1, {HOME: 0}), (T2, NOWHERE)], [(HOME, T1, T2)], id="a-disk-that-is-not-looked-at"),
    ],
)
def test_a_record_says_which_disk_was_full_from_when_until_when(
    looks: Sequence[tuple[str, Mapping[str, int]]], expected: list[tuple[str, str, str | None]]
) -> None:
    assert [(one.folder, one.since, one.until) for one in seen(*looks)] == expected


def test_a_record_is_bounded() -> None:
    looks = [(T1, {HOME: free}) for free in (0, FULL_BYTES) * 3 * MAX_EPISODES]
    assert len(seen(*looks)) == MAX_EPISODES


def test_a_broker_stores_nothing_since_it_was_first_seen_so() -> None:
    record = note_stored(note_stored(DiskRecord(), False, T1), False, T2)
    assert record.unstored_since == T1
    assert note_stored(record, True, T3) == DiskRecord()


def test_what_ended_more_than_a_day_ago_is_not_told() -> None:
    record = DiskRecord(full=[FullDisk(folder=HOME, since=T1, until=T2), FullDisk(folder=OTHER, since=T1)])
    assert recent(record, T3) == record.full
    assert recent(record, "2026-12-02T20:11:40+00:00") == record.full[1:]


def test_a_full_disk_is_told_with_its_times_and_what_to_do() -> None:
    full = FullDisk(folder=HOME, since=T1)
    assert describe(full) == (
        f"the disk of {HOME} is full since 2026-11-30 20:11:01 UTC: make room, and all goes on by itself"
    )
    was = FullDisk(folder=HOME, since=T1, until=T2)
    assert describe(was) == (f"the disk of {HOME} was full from 2026-11-30 20:11:01 UTC until 2026-11-30 20:11:28 UTC")


@pytest.mark.parametrize(("free", "text"), [(0, "0.0 MiB"), (3 * 1024**2, "3.0 MiB"), (5 * 1024**3, "5.0 GiB")])
def test_room_is_told_in_a_unit_that_shows_it(free: int, text: str) -> None:
    assert format_room(free) == text


@pytest.mark.parametrize("damaged", ["", "yesterday", "2026-11-30T20:11:28"])
def test_a_damaged_time_of_a_record_is_not_told(damaged: str) -> None:
    record = DiskRecord(full=[FullDisk(folder=HOME, since=T1, until=damaged), FullDisk(folder=OTHER, since=T1)])
    assert recent(record, T3) == record.full[1:]
