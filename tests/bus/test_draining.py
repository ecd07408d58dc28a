"""The end of a served agent: by an event, by a message, with work in hand."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from bus.agent import Delivery, Inbound, Outbound
from bus.connection import Address
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS, ACP_WORK
from protocol.messages import CancelBatch, Drain
from tests.bus.scripted import (
    BATCH,
    PLANNER_EVENTS,
    Scripted,
    admin_of,
    put,
    raw_endpoint,
    served,
    stored,
    until_stored,
    write_prompts,
    written,
)

Login = Callable[[str], Address]


async def test_what_is_in_hand_ends_and_what_waits_is_left_to_others(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    in_hand, go = asyncio.Semaphore(0), asyncio.Event()

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        in_hand.release()
        await go.wait()
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, *(write_prompts(first) for first in range(10)))
        async with served(Scripted(handle=handle), login("prompt")) as stop:
            for _ in range(4):
                await in_hand.acquire()
            stop.set()
            go.set()
        assert await stored(admin, ACP_EVENTS) == 4
        await until_stored(admin, ACP_WORK, 6)
        consumer = await admin.request_api(f"CONSUMER.INFO.{ACP_WORK}.prompt", {})
        assert consumer["num_ack_pending"] == 0


async def test_what_does_not_end_in_time_is_cancelled_and_handed_back(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    in_hand = asyncio.Event()
    cancelled: list[bool] = []

    async def stuck(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        in_hand.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)
        return []

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        assert delivery.delivered == 2
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        async with served(Scripted(handle=stuck), login("prompt"), drain_s=0.1, ack_wait_s=60):
            await in_hand.wait()
        assert cancelled == [True]
        # Handed back: the ack wait of a minute is not waited for.
        async with asyncio.timeout(5), served(Scripted(handle=handle), login("prompt"), ack_wait_s=60):
            await until_stored(admin, ACP_EVENTS, 1)


async def test_a_process_ends_well_though_its_broker_is_gone(workshop_server: EmbeddedServer, login: Login) -> None:
    async def silent(*_: object) -> tuple[bytes, Mapping[str, str]]:
        return b"", {}

    agent = Scripted("planner", intakes=(PLANNER_EVENTS,), endpoints=[raw_endpoint(subjects.COMMANDS, silent)])
    async with asyncio.timeout(20), served(agent, login("planner")):
        await workshop_server.stop()


async def test_a_drain_message_ends_the_process_it_names_and_no_other(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    planner = Scripted("planner", intakes=())
    named, other = Scripted(), Scripted()
    async with (
        asyncio.timeout(20),
        served(planner, login("planner")),
        served(named, login("prompt"), instance="one") as end_of_one,
        served(other, login("prompt"), instance="two") as end_of_two,
    ):
        await planner.outlet.publish_control("prompt", Drain(instance="one"))
        await end_of_one.wait()
        assert not end_of_two.is_set()
        await planner.outlet.publish_control("prompt", Drain())
        await end_of_two.wait()


async def test_a_cancel_reaches_an_agent_whose_slots_are_all_taken(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    full, go = asyncio.Semaphore(0), asyncio.Event()

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        full.release()
        await go.wait()
        return []

    agent, planner = Scripted(handle=handle), Scripted("planner", intakes=())
    cancel = CancelBatch(hash=BATCH, client_id="local")
    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        served(planner, login("planner")),
        served(agent, login("prompt")),
    ):
        await put(admin, *(write_prompts(first) for first in range(10)))
        for _ in range(4):
            await full.acquire()
        await planner.outlet.publish_control("prompt", cancel)
        assert await agent.controls.get() == cancel
        go.set()


async def test_a_broken_control_message_costs_nothing(workshop_server: EmbeddedServer, login: Login) -> None:
    agent = Scripted()
    cancel = CancelBatch(hash=BATCH, client_id="local")
    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        served(agent, login("prompt")),
    ):
        for payload in (b"", b"{", codec.encode(write_prompts()), codec.encode(cancel)):
            await admin.send(subjects.control("prompt"), payload)
        assert await agent.controls.get() == cancel
