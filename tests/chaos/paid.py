"""A generator whose pictures are paid for: it calls the provider at the port `CHAOS_PROVIDER`, and draws flat ones."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace as with_changes
from typing import Any

from msgspec.structs import replace

from agents.generator.agent import Generator
from agents.generator.engine import AnyOrder, OnProgress, Rendering, ShouldStop
from agents.generator.providers.instant import FlatColourEngine
from agents.generator.providers.paid_calls import SpendingJournal
from agents.generator.registry import registry
from agents.shared.settings import Settings
from bus.agent import Outlet
from bus.failpoint import pass_failpoint
from bus.local_blobs import LocalBlobs
from protocol.errors import Unavailable
from protocol.messages import Presence
from tests.chaos.provider import PRICE_MICROS

NAME = "studio"
ANSWER_S = 10.0


class PaidEngine(FlatColourEngine):
    """Pays for each picture that the instant engine then draws."""

    journal: SpendingJournal

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def generate(self, order: AnyOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """See `Engine.generate`."""
        job = order.job
        drawn = await super().generate(order, progressed, stop)
        request = (
            json.dumps({"request": f"{job.image_id}, attempt {job.attempt}, seed {job.pixels.seed}"}).encode() + b"\n"
        )
        pass_failpoint("paid.unwritten")
        intent = await self.journal.open_intent(job, NAME, request, PRICE_MICROS)
        pass_failpoint("paid.written")
        answer = await self._call(request)
        pass_failpoint("paid.answered")
        if "refused" in answer:
            await self.journal.record_refusal(intent)
            raise Unavailable("timeout", f"{NAME} is busy")
        await self.journal.record_capture(intent, answer["micros"], answer["id"])
        pass_failpoint("paid.captured")
        return with_changes(drawn, cost_micros=answer["micros"])

    async def _call(self, request: bytes) -> dict[str, Any]:
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    writer.write(request)
                    await writer.drain()
                    pass_failpoint("paid.sent")
                    line = await reader.readline()
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise Unavailable("timeout", f"{NAME} does not answer") from error
        if not line:
            raise Unavailable("timeout", f"{NAME} hung up")
        return json.loads(line)


class PaidGenerator(Generator):
    """Announces a price, and keeps the journal of its calls at the planner."""

    def __init__(self, settings: Settings) -> None:
        self._paid = PaidEngine(int(os.environ["CHAOS_PROVIDER"]))
        known = registry.load(
            settings.models, settings.loras, settings.home / "models.toml"
        ).with_everything_installed()
        super().__init__(self._paid, known, LocalBlobs(settings.blobs), slots=settings.generator_slots)

    def presence(self, instance: str) -> Presence:
        """See `Agent.presence`."""
        said = super().presence(instance)
        priced = [replace(model, provider=NAME, price_micros=PRICE_MICROS) for model in said.models]
        return replace(said, models=priced, offers=[])

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        """See `Agent.running`."""
        self._paid.journal = SpendingJournal(outlet)
        async with super().running(outlet):
            yield
