"""Durable publishing: what counts as stored, and what is said again until it is."""

import asyncio
from collections.abc import Callable

import pytest
import zstandard
from nats.errors import BadSubjectError

from bus.connection import Address
from bus.publisher import Publication, Publisher
from bus.server import EmbeddedServer
from protocol import codec
from protocol.channels import ACP_DEAD, ACP_WORK
from protocol.dictionary import registry
from protocol.messages import CancelBatch
from tests.bus.scripted import BATCH, Scripted, admin_of, listen, served, stored, write_prompts, written


def publication(subject: str, name: str = "1") -> Publication:
    return Publication(subject, b"content", {"Nats-Msg-Id": name})


async def test_a_full_store_is_no_success_though_its_error_has_the_same_code(
    workshop_server: EmbeddedServer,
) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin, asyncio.TaskGroup() as group:
        config = (await admin.request_api(f"STREAM.INFO.{ACP_WORK}", {}))["config"]
        await admin.request_api(f"STREAM.UPDATE.{ACP_WORK}", config | {"max_msgs": 1})
        publisher = Publisher(admin)
        await publisher.start()
        running = group.create_task(publisher.run())
        await publisher.publish([publication("acp.v1.work.qa.a.1.1", "a")])
        attempts = await listen(admin, "acp.v1.work.qa.b.>")
        waiting = group.create_task(publisher.publish([publication("acp.v1.work.qa.b.1.1", "b")]))
        await attempts.get()
        await attempts.get()
        assert not waiting.done()
        await admin.request_api(f"STREAM.UPDATE.{ACP_WORK}", config)
        await waiting
        assert await stored(admin, ACP_WORK) == 2
        running.cancel()


async def test_the_same_id_said_twice_is_stored_once_and_both_are_content(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        publisher = Publisher(admin)
        await publisher.start()
        await publisher.publish([publication("acp.v1.dead.qa"), publication("acp.v1.dead.qa")])
        assert await stored(admin, ACP_DEAD) == 1


async def test_many_are_on_their_way_at_once(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        publisher = Publisher(admin)
        await publisher.start()
        await publisher.publish([publication("acp.v1.dead.qa", str(n)) for n in range(5000)])
        assert await stored(admin, ACP_DEAD) == 5000


async def test_what_can_never_be_sent_raises(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        publisher = Publisher(admin)
        await publisher.start()
        with pytest.raises(BadSubjectError):
            await publisher.publish([publication("acp.v1.dead.two words")])


async def test_without_a_stream_it_waits_until_there_is_one(nats_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(nats_server) as admin, asyncio.TaskGroup() as group:
        publisher = Publisher(admin)
        await publisher.start()
        running = group.create_task(publisher.run())
        waiting = group.create_task(publisher.publish([publication("late.1")]))
        await admin.request_api("INFO", {})
        assert not waiting.done()
        await admin.request_api("STREAM.CREATE.LATE", {"name": "LATE", "subjects": ["late.>"], "storage": "memory"})
        await waiting
        assert await stored(admin, "LATE") == 1
        running.cancel()


@pytest.mark.parametrize(("dictionary", "named"), [(True, registry().written), (False, 0)])
async def test_an_agent_uses_the_dictionary_where_agents_alone_listen_unless_it_is_switched_off(
    workshop_server: EmbeddedServer, login: Callable[[str], Address], dictionary: bool, named: int
) -> None:
    planner = Scripted("planner", intakes=())
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        everything = await listen(admin, "acp.v1.>")
        async with served(planner, login("admin"), dictionary=dictionary):
            await planner.outlet.publish(write_prompts())
            await planner.outlet.publish_control("generator", CancelBatch(hash=BATCH, client_id="local"))
            await planner.outlet.publish(written(write_prompts()))
            frames = {message.subject.split(".")[2]: message for message in [await everything.get() for _ in range(3)]}
    ids = {kind: zstandard.get_frame_parameters(message.data).dict_id for kind, message in frames.items()}

    assert ids == {"work": named, "control": named, "event": 0}
    for message in frames.values():
        assert codec.decode_message(codec.unpack(message.data, message.headers))
