"""`python -m tests.fuzz [SUITE …] [--count N]`: hostile inputs, going on where the last run ended.

`python -m tests.fuzz status` shows what was done so far. Exit code 1 where something was found.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.files import Files
from tests.fuzz.messages import Messages
from tests.fuzz.processes import run_in_processes
from tests.fuzz.slices import SliceResult, Suite
from tests.fuzz.totals import ROOT, Totals, current_commit, read_totals, write_find, write_totals

MAX_GROWTH_MIB = 64
"""Of one process, from the end of its warm-up on."""

WARM_UP = 10
"""Slices."""

IN_PROCESS: dict[str, Callable[[], Suite]] = {"messages": Messages, "files": Files}


def run_suite(suite: Suite, folder: Path, slices: int, processes: int) -> bool:
    """Try the next slices of a suite; whether nothing was found."""
    totals = read_totals(folder, suite.name, suite.target)
    commit, before = current_commit(), dict(totals.finds)
    numbers = iter(range(totals.next, totals.next + slices))
    memory: list[float] = []

    def note(result: SliceResult) -> None:
        totals.add(result, commit)
        memory.append(result.resident_mib)
        if len(memory) > WARM_UP * processes:
            totals.memory_first_mib, totals.memory_last_mib = memory[WARM_UP * processes - 1], memory[-1]
        for find in result.finds:
            write_find(folder, find, totals.finds[find.cause])
            print(f"found in {suite.name} {find.slice}.{find.number}: {find.cause}", flush=True)
        if result.slice % 100 == 0 or result.finds:
            write_totals(folder, totals)
            print(f"{suite.name}: {totals.inputs:,} inputs, {result.resident_mib:.0f} MiB", flush=True)

    run_in_processes(suite, numbers, processes, note)
    if growth := _growth(totals):
        totals.finds["memory growth"] = totals.finds.get("memory growth", 0) + 1
        print(f"found in {suite.name}: a process grew by {growth:.0f} MiB")
    write_totals(folder, totals)
    print(totals.report(), flush=True)
    return totals.finds == before


def _growth(totals: Totals) -> float:
    """How much a process grew, where that is more than it may."""
    if totals.memory_first_mib is None or totals.memory_last_mib is None:
        return 0.0
    growth = totals.memory_last_mib - totals.memory_first_mib
    return growth if growth > MAX_GROWTH_MIB else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"status, or some of {', '.join(IN_PROCESS)}")
    parser.add_argument("--count", type=int, help="inputs of each suite; what is left of its target by default")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--state", type=Path, default=ROOT / ".fuzz", help="where totals and finds are kept")
    parser.add_argument("--short", action="store_true", help="the first slices of each suite")
    options = parser.parse_args()
    if options.suites == ["status"]:
        for name, make in IN_PROCESS.items():
            print(read_totals(options.state, name, make().target).report())
        return
    sound = True
    for name in options.suites or IN_PROCESS:
        suite = IN_PROCESS[name]()
        left = suite.target - read_totals(options.state, name, suite.target).inputs
        inputs = (
            suite.short * suite.slice if options.short else max(0, left) if options.count is None else options.count
        )
        sound = run_suite(suite, options.state, -(-inputs // suite.slice), options.processes) and sound
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
