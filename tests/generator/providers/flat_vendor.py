"""A vendor of flat pictures that charges for each: what the modules of two fake vendors beside this one share."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agents.generator.engine import OnProgress, Rendering, ShouldStop
from agents.generator.orders.hosted_order import HostedOrder
from agents.generator.providers.instant import flat_png
from agents.generator.providers.provider import Access


@dataclass(frozen=True)
class FlatVendor:
    """Pictures of one colour, each at the price of its model."""

    name: str
    colour: bytes
    access: Access

    async def generate(self, order: HostedOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """See `Provider.generate`."""
        job, micros = order.job, order.model.price_micros or 0
        request = f"{order.model.vendor_model}: {job.pixels.seed}".encode()
        intent = await self.access.journal.open_intent(job, self.name, request, micros)
        await self.access.journal.record_capture(intent, micros, f"{self.name}-{job.pixels.seed}")
        return Rendering(
            data=flat_png(job.pixels.width, job.pixels.height, self.colour),
            media_type="image/png",
            width=job.pixels.width,
            height=job.pixels.height,
            seconds=0.1,
            provider=self.name,
            device="hosted",
            cost_micros=micros,
        )


@asynccontextmanager
async def connected(name: str, colour: bytes, access: Access) -> AsyncGenerator[FlatVendor]:
    """The vendor of that name."""
    yield FlatVendor(name, colour, access)
