"""Processes that are killed, and a broker that is: nothing is lost, nothing is done for ever."""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from bus import topology
from bus.agent import Delivery, Inbound, Outbound
from bus.connection import Address
from bus.consumers import answer_consumers
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_WORK
from protocol.messages import PromptsFailed, PromptsWritten
from tests.bus.scripted import (
    PLANNER_EVENTS,
    Scripted,
    admin_of,
    listen,
    put,
    served,
    stored,
    until_stored,
    write_prompts,
    written,
)

Login = Callable[[str], Address]


@asynccontextmanager
async def worker(address: Address, mode: str) -> AsyncGenerator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bus.worker", address.url_with_credentials, mode, stdout=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode().strip()


async def test_a_process_killed_between_its_output_and_its_ack_leaves_one_output(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(40), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        async with worker(login("prompt"), "die-after-publishing") as process:
            assert await process.wait() == -signal.SIGKILL
        assert await stored(admin, ACP_EVENTS) == 1
        assert await stored(admin, ACP_WORK) == 1, "published, not acknowledged"
        async with worker(login("prompt"), "die-after-publishing"):
            await until_stored(admin, ACP_WORK, 0)
        assert await stored(admin, ACP_EVENTS) == 1


async def test_a_message_that_kills_its_process_ends_in_the_dead_letters(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(50), admin_of(workshop_server) as admin:
        letters = await listen(admin, subjects.DEAD)
        events = await listen(admin, subjects.EVENTS)
        await put(admin, write_prompts())
        for _ in range(3):
            async with worker(login("prompt"), "die") as process:
                assert await process.wait() == -signal.SIGKILL
        async with worker(login("prompt"), "die"):
            letter, event = await letters.get(), await events.get()
            await until_stored(admin, ACP_WORK, 0)

    payload, _ = codec.pack(write_prompts())
    assert letter.data == payload
    assert letter.headers is not None
    assert letter.headers["Acp-Dead-Delivered"] == "4"
    assert isinstance(codec.decode_message(codec.unpack(event.data, event.headers)), PromptsFailed)


async def test_on_sigterm_a_stuck_delivery_is_handed_back_at_once(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(40), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        acks = await listen(admin, f"$JS.ACK.{ACP_WORK}.prompt.>")
        async with worker(login("prompt"), "stuck") as process:
            assert {await line(process), await line(process)} == {"ready", "began"}
            process.terminate()
            assert await process.wait() == 0
        said = [acks.get_nowait().data for _ in range(acks.qsize())]
        assert said[-1] == b"-NAK"
        async with worker(login("prompt"), "answer"):
            await until_stored(admin, ACP_EVENTS, 1)


async def test_an_idle_process_ends_quickly_on_sigterm(workshop_server: EmbeddedServer, login: Login) -> None:
    async with asyncio.timeout(20), worker(login("prompt"), "answer") as process:
        assert await line(process) == "ready"
        process.terminate()
        async with asyncio.timeout(2):
            assert await process.wait() == 0


async def relay(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
    return [written(message)]


async def test_work_goes_on_over_a_killed_broker_and_nothing_is_lost(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    counted: set[int] = set()
    complete = asyncio.Event()

    async def count(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        assert isinstance(message, PromptsWritten)
        counted.add(message.first)
        if len(counted) == 400:
            complete.set()
        return []

    planner = Scripted("planner", count, intakes=(PLANNER_EVENTS,))

    async def send_all() -> None:
        for first in range(400):
            await planner.outlet.publish(write_prompts(first))
            if first in (100, 250):
                os.kill(workshop_server.pid, signal.SIGKILL)
                await workshop_server.wait()
                await workshop_server.start()

    async with (
        asyncio.timeout(50),
        served(Scripted(handle=relay), login("prompt")),
        served(planner, login("planner")),
    ):
        await send_all()
        await complete.wait()
        async with admin_of(workshop_server) as admin:
            await until_stored(admin, ACP_WORK, 0)
            assert await stored(admin, ACP_DEAD) == 0
            assert await stored(admin, ACP_EVENTS) == 400


async def test_after_a_restart_of_the_broker_waiting_work_is_taken_within_three_seconds(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(40), served(Scripted(handle=relay), login("prompt")):
        for first in range(3):
            os.kill(workshop_server.pid, signal.SIGKILL)
            await workshop_server.wait()
            await workshop_server.start()
            async with admin_of(workshop_server) as admin:
                await put(admin, write_prompts(first))
                async with asyncio.timeout(3):
                    await until_stored(admin, ACP_EVENTS, first + 1)


async def test_after_the_store_was_wiped_streams_and_consumers_come_back(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with (
        asyncio.timeout(40),
        admin_of(workshop_server) as keeper,
        asyncio.TaskGroup() as group,
        served(Scripted(handle=relay), login("prompt")),
        admin_of(workshop_server) as admin,
    ):
        keeping = group.create_task(topology.maintain_topology(keeper))
        await put(admin, write_prompts(0))
        await until_stored(admin, ACP_EVENTS, 1)
        os.kill(workshop_server.pid, signal.SIGKILL)
        await workshop_server.wait()
        shutil.rmtree(workshop_server.store_folder)
        await workshop_server.start()
        async with admin_of(workshop_server) as again:
            await topology.apply_topology(again)
            await put(again, write_prompts(1))
            async with asyncio.timeout(5):
                await until_stored(again, ACP_EVENTS, 1)
                await until_stored(again, ACP_WORK, 0)
        keeping.cancel()


async def test_a_deleted_consumer_is_made_again(workshop_server: EmbeddedServer, login: Login) -> None:
    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        served(Scripted(handle=relay), login("prompt")),
    ):
        await put(admin, write_prompts(0))
        await until_stored(admin, ACP_EVENTS, 1)
        await admin.request_api(f"CONSUMER.DELETE.{ACP_WORK}.prompt", {})
        await put(admin, write_prompts(1))
        async with asyncio.timeout(4):
            await until_stored(admin, ACP_EVENTS, 2)


@pytest.mark.parametrize("missing", ["streams", "server"])
async def test_an_agent_may_start_before_what_it_needs(nats_server: EmbeddedServer, missing: str) -> None:
    address = nats_server.address("prompt")
    if missing == "server":
        await nats_server.stop()
    async with asyncio.timeout(40), asyncio.TaskGroup() as group:
        began, stop = asyncio.Event(), asyncio.Event()

        async def serve_until_stopped() -> None:
            began.set()
            async with served(Scripted(handle=relay), address):
                await stop.wait()

        group.create_task(serve_until_stopped())
        await began.wait()
        if missing == "server":
            await nats_server.start()
        async with admin_of(nats_server) as admin:
            await topology.apply_topology(admin)
            await answer_consumers(admin)
            await put(admin, write_prompts())
            await until_stored(admin, ACP_EVENTS, 1)
        stop.set()


async def test_work_in_hand_while_the_broker_was_down_is_not_begun_again(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    begun: list[int] = []
    in_hand, go = asyncio.Event(), asyncio.Event()

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        begun.append(delivery.delivered)
        in_hand.set()
        await go.wait()
        return [written(message)]

    async with asyncio.timeout(30), served(Scripted(handle=handle), login("prompt"), ack_wait_s=0.5):
        async with admin_of(workshop_server) as admin:
            await put(admin, write_prompts())
        await in_hand.wait()
        os.kill(workshop_server.pid, signal.SIGKILL)
        await workshop_server.wait()
        await workshop_server.start()
        async with admin_of(workshop_server) as admin:
            # Longer than the ack wait: six beats of a third of it.
            beats = await listen(admin, f"$JS.ACK.{ACP_WORK}.prompt.>")
            for _ in range(6):
                await beats.get()
            go.set()
            await until_stored(admin, ACP_EVENTS, 1)
            await until_stored(admin, ACP_WORK, 0)
    assert len(begun) == 1


async def test_what_was_in_hand_when_the_store_was_wiped_takes_nothing_of_the_new_one_with_it(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    handled: list[Inbound] = []
    taken, go = asyncio.Queue[Inbound](), asyncio.Event()

    async def wait(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        await taken.put(message)
        if message == write_prompts(0):
            await go.wait()
        handled.append(message)
        return []

    async with asyncio.timeout(40):
        async with admin_of(workshop_server) as admin:
            await put(admin, write_prompts(0))
        async with served(Scripted("prompt", wait), login("prompt"), ack_wait_s=30.0):
            assert await taken.get() == write_prompts(0)
            os.kill(workshop_server.pid, signal.SIGKILL)
            await workshop_server.wait()
            shutil.rmtree(workshop_server.store_folder)
            await workshop_server.start()
            async with admin_of(workshop_server) as admin:
                await topology.apply_topology(admin)
                await put(admin, write_prompts(1))  # the first of its stream, as the one in hand was of the other
                assert await taken.get() == write_prompts(1)
                await until_stored(admin, ACP_WORK, 0)
                await put(admin, write_prompts(2))
                go.set()
                assert await taken.get() == write_prompts(2)
                await until_stored(admin, ACP_WORK, 0)
    assert sorted(handled, key=str) == sorted((write_prompts(first) for first in range(3)), key=str)
