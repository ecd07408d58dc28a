"""The board of live processes: who comes, who goes, who dies without a word."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Sequence

import pytest

from bus import topology
from bus.agent import Delivery, Inbound, Outbound
from bus.connection import Address
from bus.operator import Operator
from bus.presence import PresenceAnnouncer, time_left
from bus.publisher import Publisher
from bus.server import EmbeddedServer
from protocol.channels import PRESENCE_PREFIX, PRESENCE_STREAM
from tests.bus.scripted import Scripted, admin_of, listen, put, served, write_prompts

Login = Callable[[str], Address]


async def instances(client: Operator) -> list[str]:
    return [presence.instance for presence in await client.presences()]


async def until(client: Operator, expected: list[str]) -> None:
    """Look again at each turn of the loop; the caller bounds it."""
    while await instances(client) != expected:
        await one_turn()


async def one_turn() -> None:
    """Let the loop read from its sockets."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()


async def test_the_board_shows_who_serves_and_drops_who_left(workshop_server: EmbeddedServer, login: Login) -> None:
    planner = Scripted("planner", intakes=())
    async with asyncio.timeout(20), Operator.open(login("operator")) as client:
        async with served(planner, login("planner"), instance="p1"):
            async with served(Scripted(), login("prompt"), instance="w1"):
                assert await instances(client) == ["p1", "w1"]
                assert [presence.instance for presence in await planner.outlet.presences()] == ["p1", "w1"]
            await until(client, ["p1"])
        await until(client, [])


async def test_a_process_that_dies_without_a_word_disappears(workshop_server: EmbeddedServer, login: Login) -> None:
    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        Operator.open(login("operator"), presence_ttl_s=1.0) as client,
    ):
        await topology.apply_topology(admin, presence_ttl_s=1.0)
        publisher = Publisher(admin)
        await publisher.start()
        await PresenceAnnouncer(publisher, Scripted(), "silent", ttl_s=1.0).announce()
        async with served(Scripted(), login("prompt"), instance="renewed", presence_ttl_s=1.0):
            assert await instances(client) == ["renewed", "silent"]
            await until(client, ["renewed"])
            renewals = await listen(admin, f"{PRESENCE_PREFIX}.>")
            await renewals.get()
            await renewals.get()
            assert await instances(client) == ["renewed"]


async def test_the_board_says_how_much_each_has_in_hand(workshop_server: EmbeddedServer, login: Login) -> None:
    in_hand, go = asyncio.Semaphore(0), asyncio.Event()

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        in_hand.release()
        await go.wait()
        return []

    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        Operator.open(login("operator")) as client,
        served(Scripted(handle=handle), login("prompt"), presence_ttl_s=0.6),
    ):
        await put(admin, write_prompts(0), write_prompts(1))
        for _ in range(2):
            await in_hand.acquire()
        while [presence.busy for presence in await client.presences()] != [2]:
            await one_turn()
        go.set()


async def test_the_board_is_filled_again_after_the_store_was_wiped(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with (
        asyncio.timeout(30),
        Operator.open(login("operator"), presence_ttl_s=1.0) as client,
        served(Scripted(), login("prompt"), instance="w1", presence_ttl_s=1.0),
    ):
        assert await instances(client) == ["w1"]
        os.kill(workshop_server.pid, signal.SIGKILL)
        await workshop_server.wait()
        shutil.rmtree(workshop_server.store_folder)
        await workshop_server.start()
        await until(client, [])
        async with admin_of(workshop_server) as admin:
            await topology.apply_topology(admin, presence_ttl_s=1.0)
            assert (await admin.request_api(f"STREAM.INFO.{PRESENCE_STREAM}", {}))["config"]["max_age"] == 1_000_000_000
        await until(client, ["w1"])


async def test_the_board_follows_over_a_restart_of_the_broker(workshop_server: EmbeddedServer, login: Login) -> None:
    async with asyncio.timeout(30), Operator.open(login("operator")) as client:
        async with served(Scripted(), login("prompt"), instance="before", presence_ttl_s=0.6):
            assert await instances(client) == ["before"]
            async with admin_of(workshop_server) as admin:
                renewals = await listen(admin, f"{PRESENCE_PREFIX}.>")
                for _ in range(5):
                    await renewals.get()
            os.kill(workshop_server.pid, signal.SIGKILL)
            await workshop_server.wait()
            await workshop_server.start()
        await until(client, [])
        async with served(Scripted(), login("prompt"), instance="after"):
            await until(client, ["after"])


@pytest.mark.parametrize(
    ("age", "left"),
    [(0.0, 10.0), (4.0, 6.0), (10.0, 0.0), (-3600.0, 10.0), (3600.0, 10.0)],
    ids=["fresh", "older", "over", "clock behind", "clock ahead"],
)
def test_an_entry_counts_for_the_rest_of_its_time_whatever_the_clock_says(age: float, left: float) -> None:
    assert time_left(age, 10.0) == left
