"""Hostile pictures through the child that parses them for an agent: it answers, or its end is a refusal."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from agents.shared.picture import Undecodable
from agents.shared.sandbox.pool import ParserPool
from agents.shared.sandbox.wire import Wanted
from tests.fuzz.doors import Unsound
from tests.fuzz.files import File, hostile_file
from tests.fuzz.slices import HANG_S

_WANTED: tuple[Wanted, ...] = ("size", "pixels", "sample", "brightest")
_PICTURES = ("png", "jpeg", "webp")
_OTHER_FILES = 0.05


class Child:
    """The suite of files that go through the child."""

    name = "child"
    target = 5_000
    slice = 100
    short = 1

    def prepare(self) -> None:
        """Open the pool; its children start by themselves."""
        self._pool = ParserPool()
        self._loop = asyncio.new_event_loop()

    def end(self) -> None:
        """End the children."""
        self._pool.close()
        self._loop.close()

    def inputs(self, dice: random.Random) -> Iterator[File]:
        """The files of one slice: pictures, and now and then something else."""
        for _ in range(self.slice):
            yield hostile_file(dice, () if dice.random() < _OTHER_FILES else _PICTURES)

    def read(self, one: File, counts: Counter[str]) -> None:
        """Have the child parse it.

        Raises:
            Unsound: the child crashed, or took too long.
        """
        before = cpu_of_children()
        try:
            parsed = self._loop.run_until_complete(self._pool.parse(one.data, _WANTED[len(one.data) % 4], "fuzz"))
            said = f"decoded, {parsed.media_type}"
        except Undecodable as error:
            if "crashed" in str(error):
                raise Unsound(str(error)) from error
            said = error.fault
        if (took := cpu_of_children() - before) > HANG_S:
            raise Unsound(f"the child took {took:.1f} CPU s")
        counts[f"{one.format}: {said}"] += 1


def cpu_of_children() -> float:
    """CPU seconds of the living children of this process, from /proc."""
    children = [child for task in Path("/proc/self/task").iterdir() for child in _read(task / "children").split()]
    times = [_read(Path(f"/proc/{child}/stat")).rpartition(")")[2].split()[11:13] for child in children]
    return sum(int(ticks) for both in times for ticks in both) / os.sysconf("SC_CLK_TCK")


def _read(file: Path) -> str:
    """A file of /proc; empty where its thread or process has ended meanwhile."""
    try:
        return file.read_text()
    except OSError:
        return ""
