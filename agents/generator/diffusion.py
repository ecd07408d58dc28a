# pyright: basic
"""The engine on a device: the plain diffusers pipeline, one picture after the other, in the device's one thread.

torch and diffusers are imported in that thread, so that a process is alive before they are.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agents.generator import device as devices
from agents.generator import png, weights
from agents.generator.engine import Progressed, Rendering, Stop, Stopped
from agents.generator.orders import Order

if TYPE_CHECKING:
    from agents.generator.drawing import Drawing
    from agents.generator.pipelines import Pipelines

ENCODERS = 2
"""Threads that compress pictures and hash weights: one picture is compressed while the next one is denoised."""


ENVIRONMENT = {
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

    references = 0

    def __init__(self, device: str, threads: int, run: Path) -> None:
        self._wanted = device
        self._threads = threads
        self._run = run
        self._hashes = run / "weights.json"
        self._device: devices.Device | None = None
        self._pipelines: Pipelines | None = None
        self._workers: ThreadPoolExecutor | None = None

    @property
    def device(self) -> str | None:
        """See `Engine.device`."""
        return self._device.name if self._device else None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """See `Engine.opened`."""
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        async with devices.opened(self._wanted, self._threads, self._run) as self._device:
            self._workers = ThreadPoolExecutor(ENCODERS, thread_name_prefix="encode")
            try:
                yield
            finally:
                self._workers.shutdown(wait=False, cancel_futures=True)
                self._device = None
                self._pipelines = None

    async def known_version(self, place: Path) -> str | None:
        """See `Engine.known_version`."""
        return await asyncio.to_thread(weights.known_version, place, self._hashes)

    async def warm(self, order: Order) -> None:
        """Load the model and run one step, so that kernels and buffers are there for the first picture."""
        await self._opened_device().submit(lambda: self._draw(order, _quiet, lambda: False))

    async def generate(self, order: Order, progressed: Progressed, stop: Stop) -> Rendering:
        """See `Engine.generate`."""
        device = self._opened_device()
        loop = asyncio.get_running_loop()
        model_version = loop.run_in_executor(self._workers, self._version, order)
        abandoned = threading.Event()
        try:
            load, drawing = await device.submit(
                lambda: self._draw(order, progressed, lambda: abandoned.is_set() or stop())
            )
        finally:
            # Also where this call was cancelled: the device must not go on for nobody.
            abandoned.set()
        encoding = time.perf_counter()
        data = await loop.run_in_executor(self._workers, _encoded, drawing, order, device.name)
        height, width, _ = drawing.pixels.shape
        return Rendering(
            data=data,
            media_type="image/png",
            width=width,
            height=height,
            seconds=sum(drawing.stages.values()),
            provider="local",
            device=device.name,
            model_version=await model_version,
            peak_memory=drawing.peak_memory,
            gpu_util=drawing.gpu_util,
            stages={"load": load, **drawing.stages, "compress": time.perf_counter() - encoding},
            versions={name: version(name) for name in ("torch", "diffusers")},
        )

    def _opened_device(self) -> devices.Device:
        if self._device is None:
            raise RuntimeError("the engine is not open")
        return self._device

    def _draw(self, order: Order, progressed: Progressed, stop: Stop) -> "tuple[float, Drawing]":
        """Load and draw; runs in the device's thread. Returns the seconds of loading, and the drawing."""
        if stop():
            raise Stopped
        from agents.generator import drawing, failures, pipelines

        device = self._opened_device()
        try:
            started = time.perf_counter()
            if self._pipelines is None:
                _hide_progress_bars()
                self._pipelines = pipelines.Pipelines(device.torch)
            resident = self._pipelines.get(order.model, order.folder)
            load = time.perf_counter() - started
            return load, drawing.draw(resident, order, progressed, stop)
        except (MemoryError, RuntimeError) as error:
            if not failures.is_out_of_memory(error):
                raise
            if self._pipelines:
                self._pipelines.drop_all()
            raise failures.out_of_memory(order.model, device.name, order.job.width, order.job.height) from error

    def _version(self, order: Order) -> str:
        """Hashes of the model's weights and of each adapter's, joined by `+`."""
        places = [order.folder, *(adapter.file for adapter in order.adapters)]
        return "+".join(weights.version(place, self._hashes) for place in places)


def _quiet(step: int, steps: int) -> None:
    """Tell nobody."""


def _hide_progress_bars() -> None:
    import diffusers
    import transformers

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()


def _encoded(drawing: "Drawing", order: Order, device: str) -> bytes:
    """The PNG file of a drawing, rounded as diffusers does it."""
    if not np.isfinite(drawing.pixels).all():
        from agents.generator import failures

        raise failures.not_finite(order.model, device)
    return png.encode((drawing.pixels * 255).round().astype(np.uint8))
