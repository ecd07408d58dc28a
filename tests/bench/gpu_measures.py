# pyright: basic, reportPrivateImportUsage=false
"""What the GPU bench measures: the device's ceilings, a denoiser's calls by their rows, whether pictures are what they
should be, and pictures per second against a loop over diffusers' pipeline."""

import copy
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from agents.generator.device import errors
from agents.generator.orders.order import Order
from agents.generator.pipelines.draw import Pixels, draw, scheduler_for
from agents.generator.pipelines.resident import ResidentPipelines
from agents.generator.registry import samplers
from agents.generator.step_engine import model_calls
from agents.generator.step_engine.buckets import knee
from agents.generator.step_engine.flops import FlopCounter
from agents.generator.step_engine.loop import StepLoop
from agents.generator.step_engine.model_calls import ModelCall
from agents.generator.step_engine.model_proxies import CallRequest, StepRequest, pipeline_for_one_picture
from agents.generator.step_engine.run import Drawing, Request

FLOOR = 788e12
"""Bfloat16 operations per second that large matrices of random numbers came to on an H200, measured."""

TIMED = 5
"""Calls of a size whose median counts, after two that do not."""

Make = Callable[[Sequence[Order]], tuple[float, list[Drawing]]]
"""Makes pictures that are asked for at once, and says how many seconds that took."""


def wait_for(device: torch.device) -> None:
    """Until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def ceilings(device: torch.device, side: int) -> dict[str, float]:
    """What the device comes to: products of square bfloat16 matrices of random numbers, and copies, `side` wide."""
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    multiplied = _median(lambda: left @ right, device)
    copied = _median(lambda: left.clone(), device)
    return {
        "matmul_tflops": 2 * side**3 / multiplied / 1e12,
        "copy_tb_per_s": 2 * left.nbytes / copied / 1e12,
    }


class _Reached(Exception):
    """The run of a pipeline came to its first denoising call."""


def first_call(pipeline: Any, order: Order) -> ModelCall:
    """The denoising call that an order begins with, arguments and all."""
    found: list[ModelCall] = []

    def ask(said: CallRequest | StepRequest) -> Any:
        if isinstance(said, CallRequest) and said.stage == "denoise":
            found.append(said.call)
            raise _Reached
        return said.run() if isinstance(said, StepRequest) else said.call.run()

    with suppress(_Reached):
        draw(pipeline_for_one_picture(pipeline, order.model.family, _scheduler(pipeline, order), ask), order, _quiet)
    return found[0]


def denoiser(call: ModelCall, sizes: Sequence[int], device: torch.device, until: float) -> dict[str, Any]:
    """Calls of these numbers of rows, until the time `until` or the end of memory: seconds, of them those that the host
    takes to issue the work, operations per second, as parts of `FLOOR`, and the knee."""
    with torch.compiler.set_stance("force_eager"), FlopCounter() as counter:
        call.run()
    per_row = counter.total / call.rows
    found: list[dict[str, float | int | None]] = []
    for rows in sizes:
        if rows < call.rows or (found and time.monotonic() > until):
            continue
        try:
            found.append(_timed(call, rows, per_row, device))
        except Exception as error:
            if not errors.is_out_of_memory(error):
                raise
            torch.cuda.empty_cache()
            break
    seconds = {int(one["rows"] or 0): float(one["seconds"] or 0) for one in found}
    return {"tflop_per_row": per_row / 1e12, "rows_of_a_picture": call.rows, "knee": knee(seconds), "calls": found}


def _timed(call: ModelCall, rows: int, per_row: float, device: torch.device) -> dict[str, float | int | None]:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    taken: list[tuple[float, float]] = []
    for _ in range(2 + TIMED):
        started = time.perf_counter()
        model_calls.run_shared([call], rows)
        issued = time.perf_counter()
        wait_for(device)
        taken.append((time.perf_counter() - started, issued - started))
    seconds, host = (statistics.median(column) for column in zip(*taken[2:], strict=True))
    return {
        "rows": rows,
        "seconds": seconds,
        "host_seconds": host,
        "tflops": per_row * rows / seconds / 1e12,
        "of_floor": per_row * rows / seconds / FLOOR,
        "peak_memory": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
    }


@contextmanager
def engine(device: torch.device, threads: int, pipelines: ResidentPipelines) -> Generator[Make]:
    """The step engine around pipelines that are in memory."""
    steps = StepLoop(device, threads, pipelines)
    thread = ThreadPoolExecutor(1, "device", initializer=partial(torch.set_num_threads, threads) if threads else None)
    ended: Future[Any] = thread.submit(steps.run)

    def make(orders: Sequence[Order]) -> tuple[float, list[Drawing]]:
        requests = [Request(order, _quiet, lambda: False) for order in orders]
        started = time.perf_counter()
        for request in requests:
            steps.submit(request)
        for request in requests:
            wait((request.future, ended), return_when=FIRST_COMPLETED)
            if ended.done():
                ended.result()
        return time.perf_counter() - started, [request.future.result() for request in requests]

    try:
        yield make
    finally:
        steps.close()
        thread.shutdown()


def equality(make: Make, pipeline: Any, orders: Sequence[Order]) -> dict[str, Any]:
    """Whether a picture alone is the plain pipeline's (in half precision it is not: see `step_engine/precision.py`), by
    the largest difference in levels of 255; and whether pictures made together are, bit for bit, those made again alone
    in calls of the same sizes."""
    alone = make(orders[:1])[1][0].pixels.astype(int)
    difference = int(np.abs(alone - plain(pipeline, orders[0])).max())
    together = make(orders)[1]
    again = [
        make([replace(order, buckets=drawing.buckets)])[1][0] for order, drawing in zip(orders, together, strict=True)
    ]
    same = [np.array_equal(one.pixels, other.pixels) for one, other in zip(together, again, strict=True)]
    return {
        "largest_difference_from_the_plain_pipeline": difference,
        "pictures": len(orders),
        "unchanged_by_companions": sum(same),
        "largest_bucket": max(room for one in together for room, _ in one.buckets.denoise),
    }


def rates(make: Make, pipeline: Any, orders: Sequence[Order]) -> dict[str, Any]:
    """Pictures per second of the loop and of the engine: half of the loop, the engine, the other half, after a round of
    the engine that does not count, in which it learns the sizes of its calls."""
    make(orders)
    half = len(orders) // 2
    loop_s = _loop(pipeline, orders[:half])
    engine_s, drawings = make(orders)
    loop_s += _loop(pipeline, orders[half:])
    rooms = [room for one in drawings for room, number in one.buckets.denoise for _ in range(number)]
    return {
        "pictures": len(orders),
        "loop_per_s": len(orders) / loop_s,
        "engine_per_s": len(orders) / engine_s,
        "ratio": loop_s / engine_s,
        "mean_bucket": statistics.mean(rooms),
        "mfu": _mean([one.mfu for one in drawings]),
        "gpu_util": _mean([one.gpu_util for one in drawings]),
        "peak_memory": max((one.peak_memory for one in drawings if one.peak_memory), default=None),
    }


def plain(pipeline: Any, order: Order) -> Pixels:
    """A picture by diffusers' pipeline itself."""
    own = copy.copy(pipeline)
    own.__dict__["scheduler"] = _scheduler(pipeline, order)
    return draw(own, order, _quiet)


def _loop(pipeline: Any, orders: Sequence[Order]) -> float:
    started = time.perf_counter()
    for order in orders:
        plain(pipeline, order)
    return time.perf_counter() - started


def _scheduler(pipeline: Any, order: Order) -> Any:
    return scheduler_for(order, samplers.portable_configuration(pipeline.scheduler.config))


def _median(function: Callable[[], object], device: torch.device) -> float:
    taken: list[float] = []
    for _ in range(2 + 4 * TIMED):
        started = time.perf_counter()
        function()
        wait_for(device)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[2:])


def _mean(figures: Sequence[float | None]) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return statistics.mean(known) if known else None


def _quiet(step: int, steps: int) -> None:
    """Tell nobody."""
