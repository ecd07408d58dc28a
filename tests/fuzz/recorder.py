"""From results to totals, finds on disk, and lines for whoever watches."""

import time
from pathlib import Path

from tests.fuzz.slices import Find, SliceResult
from tests.fuzz.totals import Totals, current_commit, read_totals, write_find, write_totals

MAX_GROWTH_MIB = 64
"""Of one process, from the end of its warm-up on."""

WARM_UP = 10
"""Slices of a process before its memory is looked at."""

SHOWN_EVERY_S = 10.0


class Recorder:
    """One run of a suite."""

    def __init__(self, folder: Path, suite: str, target: int, processes: int = 1) -> None:
        self.totals = read_totals(folder, suite, target)
        self._folder = folder
        self._commit = current_commit()
        self._found_before = dict(self.totals.finds)
        self._memory: list[float] = []
        self._warm_up = WARM_UP * processes
        self._shown = time.monotonic()

    def note(self, result: SliceResult) -> None:
        """Count the slice that is next, and keep the inputs of its finds."""
        totals = self.totals
        totals.add(result, self._commit)
        self._memory.append(result.resident_mib)
        if len(self._memory) > self._warm_up:
            totals.memory_first_mib, totals.memory_last_mib = self._memory[self._warm_up - 1], self._memory[-1]
        for find in result.finds:
            self._keep(find)
        if time.monotonic() - self._shown > SHOWN_EVERY_S or result.finds:
            self._shown = time.monotonic()
            write_totals(self._folder, totals)
            print(f"{totals.suite}: {totals.inputs:,} inputs, {result.resident_mib:.0f} MiB", flush=True)

    def finish(self) -> bool:
        """Keep and show the totals; whether nothing was found in this run."""
        if growth := growth_of(self.totals):
            self.totals.finds["memory growth"] = self.totals.finds.get("memory growth", 0) + 1
            print(f"found in {self.totals.suite}: a process grew by {growth:.0f} MiB")
        write_totals(self._folder, self.totals)
        print(self.totals.report(), flush=True)
        return self.totals.finds == self._found_before

    def _keep(self, find: Find) -> None:
        write_find(self._folder, find, self.totals.finds[find.cause])
        print(f"found in {find.suite} {find.slice}.{find.number}: {find.cause}", flush=True)


def growth_of(totals: Totals) -> float:
    """How much a process grew, where that is more than it may; else 0."""
    if totals.memory_first_mib is None or totals.memory_last_mib is None:
        return 0.0
    growth = totals.memory_last_mib - totals.memory_first_mib
    return growth if growth > MAX_GROWTH_MIB else 0.0
