"""What a run keeps: totals that go on, finds with their inputs, and which input a process died of."""

import faulthandler
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fuzz.json_places import sample_of, with_edits
from tests.fuzz.processes import run_in_processes
from tests.fuzz.recorder import Recorder, growth_of
from tests.fuzz.slices import SliceResult, run_slice
from tests.fuzz.totals import Totals


@dataclass(frozen=True)
class Number:
    """An input that is a number."""

    data: bytes

    @property
    def description(self) -> str:
        return f"the number {self.data.decode()}"


class Numbers:
    """Ten numbers a slice; of one it fails, of one its process dies."""

    name = "numbers"
    target = 40
    slice = 10
    short = 1

    def __init__(self, fails: bytes = b"", dies: bytes = b"") -> None:
        self._fails = fails
        self._dies = dies

    def prepare(self) -> None: ...

    def end(self) -> None: ...

    def inputs(self, dice: random.Random) -> Iterator[Number]:
        start = dice.randrange(1000)
        return (Number(b"%d %d" % (number, start)) for number in range(10))

    def read(self, one: Number, counts: Counter[str]) -> None:
        number, _ = one.data.split()
        if number == self._fails:
            raise KeyError(one.data)
        if number == self._dies:
            faulthandler.disable()  # nobody has to read of it
            os.abort()
        counts["read"] += 1


def run(folder: Path, suite: Numbers, slices: int) -> tuple[Totals, bool]:
    recorder = Recorder(folder, suite.name, suite.target)
    first = recorder.totals.next
    for number in range(first, first + slices):
        recorder.note(run_slice(suite, number))
    sound = recorder.finish()
    return recorder.totals, sound


def test_a_run_goes_on_where_the_last_one_ended_and_counts_add_up(tmp_path: Path) -> None:
    run(tmp_path, Numbers(), 2)

    totals, sound = run(tmp_path, Numbers(), 1)

    assert sound
    assert (totals.next, totals.inputs, totals.outcomes, sum(totals.commits.values())) == (3, 30, {"read": 30}, 30)
    assert "30 of 40" in totals.report()


def test_a_find_keeps_its_input_and_the_run_goes_on(tmp_path: Path) -> None:
    totals, sound = run(tmp_path, Numbers(fails=b"4"), 2)

    assert not sound
    assert totals.inputs == 20
    assert totals.finds == {"KeyError test_slices.py read": 2}
    kept = sorted((tmp_path / "finds").glob("*0.4.bin"))
    assert [one.read_bytes().split()[0] for one in kept] == [b"4"]
    assert "the number 4" in kept[0].with_suffix(".txt").read_text()


def test_an_input_that_takes_too_long_is_a_find() -> None:
    result = run_slice(Numbers(), 0, hang_s=0.0)

    assert {find.cause for find in result.finds} == {"slow"}


@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_process_that_dies_names_its_input_and_the_next_slices_are_tried() -> None:
    results: list[SliceResult] = []

    run_in_processes(Numbers(dies=b"3"), iter(range(3)), 1, results.append)

    assert [(one.slice, one.inputs) for one in results] == [(0, 4), (1, 4), (2, 4)]
    assert [(find.cause, find.data.split()[0]) for one in results for find in one.finds] == [
        ("death by SIGABRT", b"3")
    ] * 3


def test_memory_that_grows_is_noticed() -> None:
    totals = Totals(suite="x", target=1, memory_first_mib=100.0, memory_last_mib=150.0)
    assert growth_of(totals) == 0
    totals.memory_last_mib = 170.0
    assert growth_of(totals) == 70.0


def test_values_are_replaced_at_their_places() -> None:
    sample = sample_of({"a": 1, "b": {"c": [True, "x"]}, "kept": 3}, fixed=("kept",))
    assert sample.data == b'{"a":1,"b":{"c":[true,"x"]},"kept":3}'
    assert [sample.data[one.start : one.end] for one in sample.places] == [
        b"1",
        b"true",
        b'"x"',
        b'[true,"x"]',
        b'{"c":[true,"x"]}',
    ]
    first = sample.places[0]
    assert with_edits(sample.data, [(first.drop_start, first.drop_end, b"")]) == b'{"b":{"c":[true,"x"]},"kept":3}'
    last = sample.places[2]
    assert with_edits(sample.data, [(last.drop_start, last.drop_end, b""), (5, 6, b"2")]) == (
        b'{"a":2,"b":{"c":[true]},"kept":3}'
    )
