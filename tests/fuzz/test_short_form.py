"""The first slices of every suite: nothing is found, and they are always the same."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from protocol.channels import CHANNELS
from tests.fuzz.doors import DOORS
from tests.fuzz.files import FORMATS, Files
from tests.fuzz.messages import Messages
from tests.fuzz.slices import inputs_of, run_slice
from tests.fuzz.totals import ROOT, Totals, read_totals


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_first_inputs_of_every_suite_are_read_or_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--short", "--state", str(tmp_path)]

    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=290, check=False)

    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    done = {file.stem: Totals(suite="", target=0) for file in tmp_path.glob("*.json")}
    done = {name: read_totals(tmp_path, name, 0) for name in done}
    assert {name: one.inputs for name, one in done.items()} == {
        "messages": 3000,
        "files": 1000,
        "child": 100,
        **dict.fromkeys((name for name in done if name.startswith("broker-")), 100),
    }
    assert len(done) == 11
    assert all(one.finds == {} for one in done.values())
    assert done["messages"].outcomes["planner: GenerationPlan"] > 5
    assert any(name.startswith("command: Generation") for name in done["broker-client_local"].outcomes)


def test_every_channel_with_messages_is_a_door_with_valid_ones() -> None:
    assert {door.name for door in DOORS} == {channel.name for channel in CHANNELS if channel.messages}
    assert all(door.frames for door in DOORS)


def test_a_slice_is_always_the_same_and_another_one_differs() -> None:
    def first(suite: Messages | Files, number: int) -> list[bytes]:
        return [one.data for one, _ in zip(inputs_of(suite, number), range(40), strict=False)]

    for suite in (Messages(), Files()):
        assert first(suite, 7) == first(suite, 7) != first(suite, 8)


def test_every_kind_of_mutation_takes_part_and_some_messages_are_accepted() -> None:
    suite = Messages()
    try:
        result = run_slice(suite, 1, hang_s=20.0)
    finally:
        suite.end()

    assert result.finds == []
    kinds = Counter(one.payload.kind for one in suite.inputs(random.Random(1)))
    assert len(kinds) >= 13
    assert result.counts["accepted by the codec"] > 50


def test_every_format_of_files_takes_part() -> None:
    assert {one.format for one in inputs_of(Files(), 0)} == {*FORMATS}
