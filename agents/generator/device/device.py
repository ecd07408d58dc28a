# pyright: basic
"""The device: which one, held by whom, and the one thread that issues all work for it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agents.generator.device import lock
from protocol.errors import Refused

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")
USABLE_SHARE = 0.92
"""Part of a GPU's memory that torch may hold: the rest is the driver's, and what fragments."""

SAMPLE_EVERY_S = 0.1
"""Pause between two looks at the utilisation: the driver renews the figure about that often."""


@dataclass(frozen=True)
class Device:
    """An open device. `submit` runs a function in its thread."""

    torch: "torch.device"
    thread: ThreadPoolExecutor

    @property
    def name(self) -> str:
        """Its name in words of torch."""
        return str(self.torch)

    async def submit(self, function: Callable[[], Result]) -> Result:
        """Run `function` in the device's thread, after everything that was submitted before."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, function)


@asynccontextmanager
async def open_device(name: str, threads: int, locks: Path) -> AsyncGenerator[Device]:
    """Resolve `name` (auto, cpu, cuda, cuda:1, mps), lock the device, and keep a thread for it.

    `threads` is the number of CPU threads that torch may use, 0 for its own choice.

    Raises:
        Refused: there is no such device, or another generator holds it.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")
    try:
        found, identity = await asyncio.get_running_loop().run_in_executor(thread, _resolve_device, name, threads)
        with lock.lock_device(locks, identity):
            try:
                yield Device(found, thread)
            finally:
                # The lock is let go only when the device does nothing any more.
                await asyncio.to_thread(thread.shutdown, cancel_futures=True)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


def _resolve_device(name: str, threads: int) -> "tuple[torch.device, str]":
    """The torch device and a name that means the same piece of hardware to every process. Runs in its thread, because
    torch keeps the number of threads by thread."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind == "cpu":
        return torch.device("cpu"), "cpu"
    if kind == "mps" and torch.backends.mps.is_available():
        return torch.device("mps"), "mps"
    number = int(index) if index.isdigit() else 0
    if kind == "cuda" and torch.cuda.is_available() and number < torch.cuda.device_count():
        return torch.device("cuda", number), f"gpu-{torch.cuda.get_device_properties(number).uuid}"
    raise Refused(
        "not_installed",
        f"torch {torch.__version__} finds no device {name!r} on this machine",
        hint="set BOTTEGA_DEVICE to auto, cpu, cuda, cuda:N or mps",
    )


def numeric_environment(device: "torch.device") -> dict[str, str]:
    """What decides the last bits of its sums beside the libraries, by name. Asked for in its thread: torch keeps the
    number of threads by thread."""
    import torch

    if device.type == "cpu":
        return {"threads": str(torch.get_num_threads())}
    return {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}


def memory_of(device: "torch.device") -> int | None:
    """Bytes of the device that torch may come to hold; null on a CPU, whose memory belongs to all processes."""
    if device.type != "cuda":
        return None
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory * USABLE_SHARE)


class Gauge:
    """Memory and utilisation of the device. On a CPU neither can be told apart from the rest of the process, so both
    are null there."""

    def __init__(self, device: "torch.device") -> None:
        self._device = device
        self._next_sample_at = 0.0
        self._handle = _nvml_handle(device)

    def sample_utilisation(self) -> float | None:
        """Share of the last moments in which the GPU ran anything, 0 to 1 (NVML's definition); null where it is too
        soon after the last look."""
        if self._handle is None or time.monotonic() < self._next_sample_at:
            return None
        import pynvml  # pyright: ignore[reportMissingImports] - optional

        self._next_sample_at = time.monotonic() + SAMPLE_EVERY_S
        return pynvml.nvmlDeviceGetUtilizationRates(self._handle).gpu / 100

    def take_peak_memory(self) -> int | None:
        """Bytes that torch held at most since the last question."""
        if self._device.type != "cuda":
            return None
        import torch

        peak = torch.cuda.max_memory_allocated(self._device)
        torch.cuda.reset_peak_memory_stats(self._device)
        return peak


def _nvml_handle(device: "torch.device") -> object | None:
    """NVML's handle of a CUDA device; null where there is none or the binding is not installed."""
    if device.type != "cuda":
        return None
    try:
        import pynvml  # pyright: ignore[reportMissingImports] - optional
    except ImportError:
        return None
    import torch

    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetUtilizationRates(handle)
    except pynvml.NVMLError:
        return None
    return handle
