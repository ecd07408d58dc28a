"""Ordered looks at a stream: whole, in order, and over everything that may happen to the broker."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable

from bus import topology
from bus.agent import Watch
from bus.connection import Address, connect
from bus.server import EmbeddedServer
from bus.view import Kept, View
from protocol import subjects
from protocol.channels import ACP_EVENTS
from protocol.messages import Event
from tests.bus.scripted import Scripted, admin_of, put, served, write_prompts, written

Login = Callable[[str], Address]
PROMPTS = Watch(subjects.event_filter("prompts_written"))


def event(first: int) -> Event:
    return written(write_prompts(first))


async def take(agent: Scripted, count: int) -> list[Event]:
    return [await agent.observed.get() for _ in range(count)]


async def test_a_watch_replays_the_past_and_follows_the_present(workshop_server: EmbeddedServer, login: Login) -> None:
    async with asyncio.timeout(30), admin_of(workshop_server) as admin:
        await put(admin, *(event(first) for first in range(500)))
        agent = Scripted("qa", intakes=(), watches=(PROMPTS,))
        async with served(agent, login("admin")):
            assert await take(agent, 500) == [event(first) for first in range(500)]
            await put(admin, event(500))
            assert await take(agent, 1) == [event(500)]
        again = Scripted("qa", intakes=(), watches=(PROMPTS,))
        async with served(again, login("admin")):
            assert await take(again, 501) == [event(first) for first in range(501)]


async def test_a_watch_goes_on_where_it_stopped_when_the_broker_restarts(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    agent = Scripted("qa", intakes=(), watches=(PROMPTS,))
    async with asyncio.timeout(30), served(agent, login("admin")):
        for first in range(3):
            async with admin_of(workshop_server) as admin:
                await put(admin, event(first))
            assert await take(agent, 1) == [event(first)]
            os.kill(workshop_server.pid, signal.SIGKILL)
            await workshop_server.wait()
            await workshop_server.start()
        async with admin_of(workshop_server) as admin:
            await put(admin, event(3))
        assert await take(agent, 1) == [event(3)]
        assert agent.observed.empty()


async def test_a_watch_begins_again_on_a_stream_that_was_made_anew(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    agent = Scripted("qa", intakes=(), watches=(PROMPTS,))
    async with asyncio.timeout(30), served(agent, login("admin")):
        async with admin_of(workshop_server) as admin:
            await put(admin, event(0), event(1), event(2))
        await take(agent, 3)
        os.kill(workshop_server.pid, signal.SIGKILL)
        await workshop_server.wait()
        shutil.rmtree(workshop_server.store_folder)
        await workshop_server.start()
        async with admin_of(workshop_server) as admin:
            await topology.apply_topology(admin)
            await put(admin, event(7))
        assert await take(agent, 1) == [event(7)], "although its sequence lies below those seen before"


async def test_a_watch_survives_the_loss_of_its_consumer(workshop_server: EmbeddedServer, login: Login) -> None:
    agent = Scripted("qa", intakes=(), watches=(PROMPTS,))
    async with (
        asyncio.timeout(30),
        served(agent, login("admin")),
        admin_of(workshop_server) as admin,
    ):
        await put(admin, event(0))
        await take(agent, 1)
        for name in (await admin.request_api("CONSUMER.NAMES.ACP_EVENTS", {}))["consumers"]:
            await admin.request_api(f"CONSUMER.DELETE.ACP_EVENTS.{name}", {})
        await put(admin, event(1))
        assert await take(agent, 1) == [event(1)]


async def test_an_observer_that_fails_misses_one_event_only(workshop_server: EmbeddedServer, login: Login) -> None:
    class Fragile(Scripted):
        async def observe(self, message: Event) -> None:
            if message == event(1):
                raise ZeroDivisionError("a defect")
            await super().observe(message)

    agent = Fragile("qa", intakes=(), watches=(PROMPTS,))
    async with (
        asyncio.timeout(30),
        served(agent, login("admin")),
        admin_of(workshop_server) as admin,
    ):
        js = admin.client.jetstream()  # pyright: ignore[reportUnknownMemberType]
        await put(admin, event(0), event(1))
        await js.publish("acp.v1.event.local.batch.prompts_written", b"not an event")
        await put(admin, event(2))
        assert await take(agent, 2) == [event(0), event(2)]


async def test_a_view_ends_when_it_is_told_to_though_its_connection_is_closed_for_good(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def ignore(message: Kept) -> None:
        assert message

    connection = await connect(login("admin"), name="tests", wait_s=5)
    view = View(connection, ACP_EVENTS, subjects.EVENTS, ignore)
    looking = asyncio.create_task(view.run())
    async with asyncio.timeout(5):
        await view.caught_up.wait()
        await connection.client.close()
        looking.cancel()
        await asyncio.wait({looking})
    assert looking.cancelled()
