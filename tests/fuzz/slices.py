"""One slice of a suite: inputs that follow from its number alone, each tried, and what was found with them."""

import contextlib
import ctypes
import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

HANG_S = 1.0
"""CPU seconds of one input above which it is found too slow."""

END_S = 20.0
"""CPU seconds after which the process is ended in the middle of an input."""

SHOWN = 2000


class Input(Protocol):
    """What is tried: its bytes, and in words where they go."""

    @property
    def data(self) -> bytes: ...

    @property
    def description(self) -> str: ...


class Suite(Protocol):
    """A kind of inputs and who reads them. `target` inputs are tried in the end, `short` slices in the short form."""

    name: str
    target: int
    slice: int
    short: int

    def prepare(self) -> None:
        """Set this process up, once."""
        ...

    def inputs(self, dice: random.Random) -> Iterator[Any]:
        """The inputs of a slice."""
        ...

    def read(self, one: Any, counts: Counter[str]) -> None:
        """Try one, and count what became of it.

        Raises:
            Exception: it is a find.
        """
        ...

    def end(self) -> None:
        """Let go of what was set up."""
        ...


@dataclass(frozen=True)
class Find:
    """An input that got what none should get. `cause` tells finds of the same kind from others."""

    suite: str
    slice: int
    number: int
    cause: str
    details: str
    data: bytes


@dataclass
class SliceResult:
    """What became of the inputs of a slice."""

    slice: int
    inputs: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    finds: list[Find] = field(default_factory=list[Find])
    slowest_s: float = 0.0
    slowest: str = ""
    cpu_s: float = 0.0
    resident_mib: float = 0.0


class Position(Protocol):
    """Where the number of the input in hand is written, for whoever survives this process."""

    value: int


def inputs_of(suite: Suite, slice_number: int) -> Iterator[Any]:
    """The inputs of a slice by its number."""
    return suite.inputs(random.Random(f"{suite.name}.{slice_number}"))


def run_slice(suite: Suite, slice_number: int, position: Position | None = None, hang_s: float = HANG_S) -> SliceResult:
    """Try the inputs of a slice in this process."""
    result = SliceResult(slice_number)
    began = time.process_time()
    for number, one in enumerate(inputs_of(suite, slice_number)):
        if position is not None:
            position.value = number
            signal.setitimer(signal.ITIMER_PROF, END_S)
        before = time.process_time()
        try:
            suite.read(one, result.counts)
        except Exception as error:  # noqa: BLE001 - the point of a fuzzer
            result.finds.append(_find(suite, slice_number, number, one, error))
        took = time.process_time() - before
        if took > hang_s:
            result.finds.append(
                Find(suite.name, slice_number, number, "slow", f"{took:.1f} CPU s: {one.description}", one.data)
            )
        if took > result.slowest_s:
            result.slowest_s, result.slowest = took, f"{slice_number}.{number}: {one.description[:200]}"
        result.inputs += 1
    if position is not None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        give_back_memory()
    result.cpu_s = time.process_time() - began
    result.resident_mib = resident_mib()
    return result


def _find(suite: Suite, slice_number: int, number: int, one: Input, error: Exception) -> Find:
    last = traceback.extract_tb(error.__traceback__)[-1]
    told = "".join(traceback.format_exception(error))
    details = f"{one.description[:SHOWN]}\n{told[:SHOWN]}\n…\n{told[-SHOWN:]}"
    cause = f"{type(error).__name__} {Path(last.filename).name} {last.name}"
    return Find(suite.name, slice_number, number, cause, details, one.data)


def give_back_memory() -> None:
    """Let go of what the allocator keeps for later, so that memory in use is what is measured."""
    with contextlib.suppress(OSError, AttributeError):  # only glibc's allocator has this
        ctypes.CDLL(None).malloc_trim(0)


def resident_mib(pid: int | str = "self") -> float:
    """Resident memory of a process, in MiB, from /proc."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
