"""An engine without a model: a flat picture whose colour is the seed's. It measures what coordination costs alone."""

import hashlib
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from agents.generator import png
from agents.generator.engine import Progressed, Rendering, Stop, Stopped
from agents.generator.orders import Order


class InstantEngine:
    """Draws at once, in the event loop: a flat picture of 128x128 takes less than a thread switch would."""

    device: str | None = None
    references = 0

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Nothing to hold."""
        yield

    async def known_version(self, place: Path) -> str | None:
        """There are no weights, so no picture is ever taken for another one's."""
        return None

    async def warm(self, order: Order) -> None:
        """Nothing to warm."""

    async def generate(self, order: Order, progressed: Progressed, stop: Stop) -> Rendering:
        """See `Engine.generate`."""
        if stop():
            raise Stopped
        started = time.perf_counter()
        job = order.job
        colour = np.frombuffer(hashlib.sha256(str(job.seed).encode()).digest()[:3], dtype=np.uint8)
        data = png.encode(np.broadcast_to(colour, (job.height, job.width, 3)))
        progressed(job.steps - 1, job.steps)
        return Rendering(
            data=data,
            media_type="image/png",
            width=job.width,
            height=job.height,
            seconds=time.perf_counter() - started,
            provider="instant",
            device="none",
        )
