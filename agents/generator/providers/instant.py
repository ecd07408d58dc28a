"""Flat pictures whose colour is the seed's, without a model, a device or a network.

As an engine it draws every local model, to measure what coordination costs alone; as a provider it draws hosted models
that are entered for it, to try an entry without paying."""

import asyncio
import functools
import hashlib
import struct
import time
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from agents.generator.engine import AnyOrder, GenerationStopped, OnProgress, Rendering, ShouldStop
from agents.generator.images.png_writer import chunk
from agents.generator.orders.order import Order
from agents.generator.providers.provider import Access
from agents.generator.registry.weights import Weights
from bus.agent import Outlet
from protocol.messages import Job
from protocol.post import size_after

NEEDS_KEY = False

MODELS: Mapping[str, Mapping[str, object]] = {}


class FlatColourEngine:
    """Draws at once, in the event loop: a flat picture of 128x128 takes less than a thread switch would. With `seconds`
    it draws one picture after the other, each in that time, as a device would."""

    device: str | None = None
    max_references = 0

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds_per_picture = seconds
        self._device_lock = asyncio.Lock()

    @asynccontextmanager
    async def open(self, outlet: Outlet | None = None) -> AsyncGenerator[None]:
        """Nothing to hold."""
        yield

    async def known_version(self, part: Weights) -> str | None:
        """There are no weights, so no picture is ever taken for another one's."""
        return None

    async def warm_up(self, order: Order) -> None:
        """Nothing to warm."""

    async def generate(self, order: AnyOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """See `Engine.generate`."""
        async with self._device_lock:
            if stop():
                raise GenerationStopped
            return await self._draw(order.job, progressed)

    async def _draw(self, job: Job, progressed: OnProgress) -> Rendering:
        started = time.perf_counter()
        if self._seconds_per_picture:
            await asyncio.sleep(self._seconds_per_picture)
        width, height = size_after(job.pixels.post, job.pixels.width, job.pixels.height)
        data = flat_png(width, height, hashlib.sha256(str(job.pixels.seed).encode()).digest()[:3])
        progressed(job.pixels.steps - 1, job.pixels.steps)
        return Rendering(
            data=data,
            media_type="image/png",
            width=width,
            height=height,
            seconds=time.perf_counter() - started,
            provider="instant",
            device="none",
        )


@asynccontextmanager
async def connect(access: Access) -> AsyncGenerator[FlatColourEngine]:
    """See `ProviderModule.connect`."""
    yield FlatColourEngine()


def flat_png(width: int, height: int, colour: bytes) -> bytes:
    """The PNG file of a flat picture; `colour` is red, green, blue. A palette of one colour, so that nothing but the
    palette differs between two of them."""
    before, after = _bytes_around_palette(width, height)
    return before + chunk(b"PLTE", colour) + after


@functools.lru_cache
def _bytes_around_palette(width: int, height: int) -> tuple[bytes, bytes]:
    """What stands before and after the palette: one bit for each pixel, all of them 0."""
    header = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    body = zlib.compress(bytes((1 + (width + 7) // 8) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header), chunk(b"IDAT", body) + chunk(b"IEND", b"")
