# pyright: basic
"""The engine on a device: pictures share the model's calls, step by step, in the device's one thread.

torch and diffusers are imported in that thread, so that a process is alive before they are.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from agents.generator.device import device as devices
from agents.generator.device.tuning import DEFAULT_TUNING, Tuning
from agents.generator.engine import AnyOrder, OnProgress, Rendering, ShouldStop
from agents.generator.images import png_writer
from agents.generator.orders.order import Order
from agents.generator.registry import weight_hashes
from agents.generator.registry.weights import Weights
from bus.agent import Outlet
from protocol.errors import NotSupported

if TYPE_CHECKING:
    from agents.generator.pipelines.draw import Pixels
    from agents.generator.step_engine.loop import StepLoop
    from agents.generator.step_engine.run import Drawing

ENCODER_THREADS = 2
"""Threads that compress pictures and hash weights: one picture is compressed while the next one is denoised."""


DEFAULT_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "DIFFUSERS_VERBOSITY": "error",
    "OMP_WAIT_POLICY": "PASSIVE",
}
"""Read by the libraries when they are imported, unless a person set them otherwise: nothing is looked up on the
network; advice stays off the log, which holds JSON lines; and torch's CPU threads sleep while they wait for each other.
By default they spin, and where other processes want the same cores that costs 20 times the time and more."""


class DiffusersEngine:
    """See `Engine`. `run` is the folder for locks and known weight hashes."""

    max_references = 0

    def __init__(self, device: str, threads: int, run: Path, tuning: Tuning = DEFAULT_TUNING) -> None:
        self._device_name = device
        self._tuning = tuning
        self._threads = threads
        self._run_folder = run
        self._hashes_file = run / "weights.json"
        self._device: devices.Device | None = None
        self._loop: Future[StepLoop] = _uncancellable_future()
        self._workers: ThreadPoolExecutor | None = None
        self._versions: dict[str, str] = {}

    @property
    def device(self) -> str | None:
        """See `Engine.device`."""
        return self._device.name if self._device else None

    @asynccontextmanager
    async def open(self, outlet: Outlet | None = None) -> AsyncGenerator[None]:
        """See `Engine.opened`. The body is cancelled when the device is of no use to this process any more, and the
        reason raised."""
        for name, value in DEFAULT_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        async with devices.open_device(self._device_name, self._threads, self._run_folder) as self._device:
            self._loop = _uncancellable_future()
            self._workers = ThreadPoolExecutor(ENCODER_THREADS, thread_name_prefix="encode")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._device.submit(self._run_device_thread))
                    try:
                        yield
                    finally:
                        self._loop.add_done_callback(lambda loop: loop.exception() or loop.result().close())
            finally:
                self._workers.shutdown(wait=False, cancel_futures=True)
                self._device = None

    async def known_version(self, part: Weights) -> str | None:
        """See `Engine.known_version`."""
        return await asyncio.to_thread(weight_hashes.known_version, part.path, self._hashes_file, part.settings)

    async def warm_up(self, order: Order) -> None:
        """Load the model and run one step, so that kernels and buffers are there for the first picture; then, while
        there is nothing else to do, look for the size of call that pays."""
        await self._draw(order, _ignore_progress, lambda: False, probe=True)

    async def generate(self, order: AnyOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """See `Engine.generate`."""
        if not isinstance(order, Order):
            raise NotSupported(f"{order.model.name} is made by {order.model.provider}, not on a device")
        loop = asyncio.get_running_loop()
        model_version = loop.run_in_executor(self._workers, self._model_version, order)
        drawing = await self._draw(order, progressed, stop)
        encoding = time.perf_counter()
        data = await loop.run_in_executor(self._workers, _encode_png, drawing.pixels, order)
        height, width, _ = drawing.pixels.shape[-3:]
        stages, compilable = drawing.stage_seconds, any(one.compilable for one in order.denoising_orders)
        return Rendering(
            data=data,
            media_type="image/png",
            width=width,
            height=height,
            seconds=sum(seconds for stage, seconds in stages.items() if stage != "load"),
            provider="local",
            device=self.device or self._device_name,
            model_version=await model_version,
            peak_memory=drawing.peak_memory,
            gpu_util=drawing.gpu_util,
            mfu=drawing.mfu,
            buckets=drawing.buckets,
            engine="steps" if drawing.shareable else "pipeline",
            stages={**stages, "compress": time.perf_counter() - encoding},
            versions=self._versions | self._tuning.as_versions(self.device or self._device_name, compilable),
        )

    async def _draw(self, order: Order, progressed: OnProgress, stop: ShouldStop, probe: bool = False) -> "Drawing":
        if self._device is None:
            raise RuntimeError("the engine is not open")
        step_loop = await asyncio.wrap_future(self._loop)
        from agents.generator.step_engine.run import Request

        abandoned = threading.Event()
        request = Request(order, progressed, lambda: abandoned.is_set() or stop(), probe)
        step_loop.submit(request)
        try:
            return await asyncio.wrap_future(request.future)
        finally:
            # Also where this call was cancelled: the device must not go on for nobody.
            abandoned.set()

    def _run_device_thread(self) -> None:
        """The device's thread."""
        try:
            from agents.generator.pipelines.resident import ResidentPipelines
            from agents.generator.step_engine.loop import StepLoop

            _hide_progress_bars()
            assert self._device is not None
            device = self._device.torch
            step_loop = StepLoop(device, self._threads, ResidentPipelines(device, self._tuning))
            libraries = {name: version(name) for name in ("torch", "diffusers")}
            self._versions = libraries | devices.numeric_environment(device)
        except BaseException as error:
            self._loop.set_exception(error)
            raise
        self._loop.set_result(step_loop)
        step_loop.run()

    def _model_version(self, order: Order) -> str:
        """Versions of all parts, joined by `+`."""
        return "+".join(weight_hashes.version_of(part.path, self._hashes_file, part.settings) for part in order.weights)


def _encode_png(pixels: "Pixels", order: Order) -> bytes:
    """The file of a picture, or of a sequence."""
    return (
        png_writer.encode_sequence(pixels, order.job.pixels.motion.fps)
        if order.job.pixels.motion
        else png_writer.encode(pixels)
    )


def _uncancellable_future() -> "Future[StepLoop]":
    """A future that one of many who wait for it cannot cancel for all."""
    future: Future[StepLoop] = Future()
    future.set_running_or_notify_cancel()
    return future


def _ignore_progress(step: int, steps: int) -> None:
    """Tell nobody."""


def _hide_progress_bars() -> None:
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
