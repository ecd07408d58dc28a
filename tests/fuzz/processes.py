"""Slices of a suite in processes of their own: one that crashes or hangs is noticed, and its input is known."""

import ctypes
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from bus.die_with_parent import PR_SET_PDEATHSIG
from tests.fuzz.slices import Find, SliceResult, Suite, inputs_of, run_slice

_END = -1
"""In place of the number of a slice."""

_CONTEXT = multiprocessing.get_context("fork")


@dataclass
class _Worker:
    process: ForkProcess
    connection: "Connection[Any, Any]"
    position: "Synchronized[int]"
    slice: int = _END


def run_in_processes(suite: Suite, slices: Iterator[int], count: int, note: Callable[[SliceResult], None]) -> None:
    """Try slices in `count` processes; each result is noted in the order of the slices."""
    workers = [_start(suite) for _ in range(count)]
    waiting: dict[int, SliceResult] = {}
    order: list[int] = []
    try:
        for worker in workers:
            _hand_out(worker, slices, order)
        while busy := [worker for worker in workers if worker.slice >= 0]:
            for ready in wait([worker.connection for worker in busy]):
                place, worker = next((at, one) for at, one in enumerate(workers) if one.connection is ready)
                result, alive = _result_of(suite, worker)
                waiting[worker.slice] = result
                if not alive:
                    worker = workers[place] = _start(suite)
                _hand_out(worker, slices, order)
            while order and order[0] in waiting:
                note(waiting.pop(order.pop(0)))
    finally:
        for worker in workers:
            with suppress(OSError):
                worker.connection.send(_END)
        for worker in workers:
            worker.process.join(5)
            worker.process.kill()


def _start(suite: Suite) -> _Worker:
    own, theirs = _CONTEXT.Pipe()
    position: Synchronized[int] = _CONTEXT.Value("q", 0, lock=False)  # pyright: ignore[reportAssignmentType]
    process = _CONTEXT.Process(target=_work, args=(suite, theirs, position), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, own, position)


def _hand_out(worker: _Worker, slices: Iterator[int], order: list[int]) -> None:
    worker.slice = next(slices, _END)
    if worker.slice >= 0:
        order.append(worker.slice)
        worker.connection.send(worker.slice)


def _work(suite: Suite, slices: "Connection[Any, Any]", position: "Synchronized[int]") -> None:
    """The worker: one slice after the other, until nobody asks for more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)  # the pipe's other end may be open in a sibling
    suite.prepare()
    for number in iter(slices.recv, _END):
        slices.send(run_slice(suite, number, position))
    suite.end()


def _result_of(suite: Suite, worker: _Worker) -> tuple[SliceResult, bool]:
    """What a worker says of its slice, and whether it lives; of one that died, the input that it died of."""
    try:
        return worker.connection.recv(), True
    except (EOFError, OSError):
        worker.process.join()
    number, code = worker.position.value, worker.process.exitcode or 0
    one = next(islice(inputs_of(suite, worker.slice), number, None))
    what = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    cause = f"hang of {what}" if code == -signal.SIGPROF else f"death by {what}"
    find = Find(suite.name, worker.slice, number, cause, f"{cause}: {one.description}", one.data)
    return SliceResult(worker.slice, number + 1, finds=[find]), False
