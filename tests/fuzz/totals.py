"""What every suite has done so far, kept in a folder so that the next run goes on where the last one ended."""

import subprocess
from pathlib import Path

import msgspec

from bus.durable_files import replace_file
from tests.fuzz.slices import Find, SliceResult

MAX_KEPT = 20
"""Inputs that are kept of one cause."""

ROOT = Path(__file__).resolve().parents[2]


class Totals(msgspec.Struct, kw_only=True):
    """One suite's. Slices below `next` are done; `inputs` are all of them, by `commits` and by what became of them in
    `outcomes`. `finds` counts by cause; over a broker `cpu_s` is time of the clock. Memory is that of one process of
    the last run: after its warm-up, and last."""

    suite: str
    target: int
    next: int = 0
    inputs: int = 0
    cpu_s: float = 0.0
    slowest_s: float = 0.0
    slowest: str = ""
    memory_first_mib: float | None = None
    memory_last_mib: float | None = None
    commits: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    finds: dict[str, int] = {}

    def add(self, result: SliceResult, commit: str) -> None:
        """Count the slice that is next."""
        self.next = result.slice + 1
        self.inputs += result.inputs
        self.cpu_s = round(self.cpu_s + result.cpu_s, 3)
        self.commits[commit] = self.commits.get(commit, 0) + result.inputs
        for name, count in result.counts.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + count
        for find in result.finds:
            self.finds[find.cause] = self.finds.get(find.cause, 0) + 1
        if result.slowest_s > self.slowest_s:
            self.slowest_s, self.slowest = round(result.slowest_s, 3), result.slowest

    def report(self) -> str:
        """The totals as a person reads them."""
        memory = "not measured"
        if self.memory_first_mib is not None and self.memory_last_mib is not None:
            memory = f"{self.memory_first_mib:.0f} MiB at first, {self.memory_last_mib:.0f} MiB last"
        found = ", ".join(f"{count} x {cause}" for cause, count in self.finds.items()) or "none"
        rate = f"{self.inputs / self.cpu_s:,.0f} a second" if self.cpu_s else "nothing measured"
        return (
            f"{self.suite}: {self.inputs:,} of {self.target:,} ({rate})\n"
            f"  slowest {self.slowest_s * 1000:.0f} ms ({self.slowest})\n"
            f"  memory  {memory}\n"
            f"  finds   {found}\n"
            f"  commits {', '.join(f'{name}: {count:,}' for name, count in self.commits.items())}"
        )


def read_totals(folder: Path, suite: str, target: int) -> Totals:
    """What a suite has done so far."""
    try:
        kept = msgspec.json.decode((folder / f"{suite}.json").read_bytes(), type=Totals)
    except FileNotFoundError:
        return Totals(suite=suite, target=target)
    kept.target = target
    return kept


def write_totals(folder: Path, totals: Totals) -> None:
    """Keep it, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / f"{totals.suite}.json", msgspec.json.format(msgspec.json.encode(totals), indent=1))


def write_find(folder: Path, find: Find, count: int) -> None:
    """Keep the input of a find and what is known of it; of one cause the first ones."""
    if count > MAX_KEPT:
        return
    place = folder / "finds"
    place.mkdir(parents=True, exist_ok=True)
    name = "".join(character if character.isalnum() else "-" for character in find.cause)[:80]
    stem = f"{find.suite}-{name}-{find.slice}.{find.number}"
    (place / f"{stem}.bin").write_bytes(find.data)
    (place / f"{stem}.txt").write_text(find.details, encoding="utf-8", errors="backslashreplace")


def current_commit() -> str:
    """The commit that is tried, with a mark where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude", "*"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"
