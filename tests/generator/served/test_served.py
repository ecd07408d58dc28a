# pyright: basic
"""The generator served over a real broker, with real diffusion."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from agents.generator.agent import build
from agents.shared.settings import Settings
from bus.connection import Address, Connection, connect
from bus.runner import RunnerOptions, serve
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.messages import GenerateImage, ImageGenerated, Job, ScoreImage, ref_of


@asynccontextmanager
async def served(settings: Settings, address: Address) -> AsyncGenerator[None]:
    ready, stop = asyncio.Event(), asyncio.Event()
    options = RunnerOptions(signals=False, stop=stop, on_ready=ready.set, drain_s=5.0)
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(build(settings), address, options))
        await ready.wait()
        try:
            yield
        finally:
            stop.set()


async def heard(connection: Connection, *filters: str) -> asyncio.Queue[object]:
    """What is said on subjects from now on."""
    said: asyncio.Queue[object] = asyncio.Queue()

    async def receive(message: Msg) -> None:
        said.put_nowait(codec.decode_message(codec.unpack(message.data, message.headers or {})))

    for subject in filters:
        await connection.subscribe(subject, receive)
    await connection.request_api("INFO", {})  # the broker answers after it knows the subscriptions
    return said


@pytest.mark.slow
async def test_each_job_on_the_queue_becomes_one_event_and_one_piece_of_work_for_qa(
    workshop_server: EmbeddedServer,
    login: Callable[[str], Address],
    home: Path,
    job: Callable[..., Job],
):
    jobs = [job(index=index, image_id=f"gen_batch_1_{index:06d}", seed=index, steps=4) for index in range(3)]
    settings = Settings(home=home, device="cpu", torch_threads=1, generator_slots=4)
    async with asyncio.timeout(55):
        admin = await connect(workshop_server.address("admin"), name="tests", wait_s=5)
        js = admin.client.jetstream()
        said = await heard(admin, subjects.EVENTS, subjects.work_filter("qa"))
        async with served(settings, login("generator")):
            for wanted in jobs:
                work = GenerateImage(job=wanted)
                payload, headers = codec.pack(work)
                await js.publish(subjects.subject_of(work), payload, headers=headers)
            messages = [await said.get() for _ in range(2 * len(jobs))]
        await admin.close()
    generated = {event.ref.index: event for event in messages if isinstance(event, ImageGenerated)}
    scoring = {work.job.index: work for work in messages if isinstance(work, ScoreImage)}
    assert {index: event.ref for index, event in generated.items()} == {one.index: ref_of(one) for one in jobs}
    assert {index: work.picture for index, work in scoring.items()} == {
        index: event.picture for index, event in generated.items()
    }
