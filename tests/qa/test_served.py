"""QA as it is served: work from a real broker, verdicts to the events, accepted pictures to storage."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from agents.qa.agent import Qa
from bus.agent import Agent, Delivery, Inbound, Intake, Outbound, Outlet, Watch
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from bus.runner import RunnerOptions, serve
from bus.server import EmbeddedServer
from protocol.messages import Event, ImageScored, JobFailed, Presence, Role, StoreImage
from protocol.subjects import event_filter, work_filter
from tests.qa.drawings import disc, encoded, flat, order


class Neighbour(Agent):
    """The generator that orders, or the storage agent that takes what was accepted; keeps what it hears."""

    role: ClassVar[Role] = "generator"

    def __init__(self) -> None:
        self.outlet: Outlet
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.stored: asyncio.Queue[Inbound] = asyncio.Queue()

    def intakes(self) -> Sequence[Intake]:
        return ()

    def watches(self) -> Sequence[Watch]:
        return (Watch(event_filter("scored")), Watch(event_filter("failed")))

    def presence(self, instance: str) -> Presence:
        return Presence(role=self.role, instance=instance, pid=1, host="here", version="1", started_at="", slots=1)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        self.outlet = outlet
        yield

    async def observe(self, message: Event) -> None:
        self.events.put_nowait(message)

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        self.stored.put_nowait(message)
        return ()


class Shelf(Neighbour):
    role: ClassVar[Role] = "storage"

    def intakes(self) -> Sequence[Intake]:
        return (Intake("ACP_WORK", "storage", (work_filter("storage"),), slots=4),)


@asynccontextmanager
async def served(agent: Agent, address: Address) -> AsyncGenerator[None]:
    ready, stop = asyncio.Event(), asyncio.Event()
    options = RunnerOptions(signals=False, stop=stop, on_ready=ready.set, drain_s=2, backoff=(0.05,))
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(agent, address, options))
        await ready.wait()
        try:
            yield
        finally:
            stop.set()


async def test_verdicts_are_told_and_accepted_pictures_move_on(workshop_server: EmbeddedServer, tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    generator, storage = Neighbour(), Shelf()
    async with (
        asyncio.timeout(30),
        served(generator, workshop_server.address("admin")),
        served(storage, workshop_server.address("storage")),
        served(Qa(blobs, scorer=None), workshop_server.address("qa")),
    ):
        good, blank, lost = await blobs.put(encoded(disc())), await blobs.put(encoded(flat())), "0" * 64
        for index, blob in enumerate((good, blank, lost)):
            await generator.outlet.publish(order(blob, index=index))
        heard = [await generator.events.get() for _ in range(3)]
        stored = await storage.stored.get()

    verdicts = {event.ref.index: event.assessment for event in heard if isinstance(event, ImageScored)}
    failures = [event for event in heard if isinstance(event, JobFailed)]
    assert {index: verdict.accepted for index, verdict in verdicts.items()} == {0: True, 1: False}
    assert verdicts[1].reasons == ["blank"]
    assert [(event.ref.index, event.stage) for event in failures] == [(2, "qa")]
    assert isinstance(stored, StoreImage)
    assert stored.assessment == verdicts[0]
    assert storage.stored.empty()


async def test_a_restarted_qa_refuses_the_copy_of_what_it_accepted_before(
    workshop_server: EmbeddedServer, tmp_path: Path
) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    generator = Neighbour()
    blob = await blobs.put(encoded(disc()))
    async with asyncio.timeout(30), served(generator, workshop_server.address("admin")):
        async with served(Qa(blobs, scorer=None), workshop_server.address("qa")):
            await generator.outlet.publish(order(blob, index=0))
            first = await generator.events.get()
        restarted = Relearning(blobs)
        async with served(restarted, workshop_server.address("qa")):
            await restarted.learned.wait()
            await generator.outlet.publish(order(blob, index=1))
            second = await generator.events.get()

    assert isinstance(first, ImageScored)
    assert isinstance(second, ImageScored)
    assert first.assessment.accepted
    assert second.assessment.reasons == ["near_duplicate"]


class Relearning(Qa):
    """Says when the first event of the past has been seen."""

    def __init__(self, blobs: LocalBlobs) -> None:
        super().__init__(blobs, scorer=None)
        self.learned = asyncio.Event()

    async def observe(self, message: Event) -> None:
        await super().observe(message)
        self.learned.set()
