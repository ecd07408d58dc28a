"""Streams and rights: applied again and again, and every login confined to its own, tried on the broker."""

import asyncio

import pytest
from nats.aio.client import Client

from bus import topology
from bus.accounts import LOGINS
from bus.connection import ApiError, Connection, connect
from bus.server import EmbeddedServer
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_STATUS, ACP_WORK, PRESENCE_STREAM
from protocol.messages import ROLES
from tests.bus.scripted import admin_of, put, stored, write_prompts

STREAMS = {ACP_WORK, ACP_EVENTS, ACP_STATUS, ACP_DEAD, PRESENCE_STREAM}

SUBJECTS = {
    "work for prompt": "acp.v1.work.prompt.batch.0",
    "work for generator": "acp.v1.work.generate.pocket.batch.0.1",
    "work for qa": "acp.v1.work.qa.batch.0.1",
    "work for storage": "acp.v1.work.storage.batch.0.1",
    "prompts written": "acp.v1.event.local.batch.prompts_written",
    "image generated": "acp.v1.event.local.batch.generated",
    "image scored": "acp.v1.event.local.batch.scored",
    "image stored": "acp.v1.event.local.batch.stored",
    "job failed": "acp.v1.event.local.batch.failed",
    "job cancelled": "acp.v1.event.local.batch.cancelled",
    "status": "acp.v1.status.local.batch",
    "command": "acp.v1.command.local",
    "operator's command": "acp.v1.operator",
    "intent of a paid call": "acp.v1.ledger.intent",
    "question about stored pictures": "acp.v1.stored",
    "picture to make again": "acp.v1.remake",
    "control": "acp.v1.control.generator",
    "presence of qa": "$KV.acp_presence.qa.1",
    "presence of planner": "$KV.acp_presence.planner.1",
    "dead letter of qa": "acp.v1.dead.qa",
    "purge of the work": f"$JS.API.STREAM.PURGE.{ACP_WORK}",
    "delete of a stream": f"$JS.API.STREAM.DELETE.{ACP_EVENTS}",
    "next for qa": f"$JS.API.CONSUMER.MSG.NEXT.{ACP_WORK}.qa",
    "next for planner": f"$JS.API.CONSUMER.MSG.NEXT.{ACP_EVENTS}.planner",
    "ack of qa": f"$JS.ACK.{ACP_WORK}.qa.1.1.1.1.0",
    "ack of qa, second form": f"$JS.ACK._.hash.{ACP_WORK}.qa.1.1.1.1.0.token",
    "answer to a client": "_INBOX.someone.1",
    "answer to the planner": "_INBOX_planner.someone.1",
    "answer to a generator": "_INBOX_generator.someone.1",
    "answer to the operator": "_INBOX_operator.someone.1",
    "a dead letter's bytes": f"$JS.API.DIRECT.GET.{ACP_DEAD}",
    "removal of a dead letter": f"$JS.API.STREAM.MSG.DELETE.{ACP_DEAD}",
}

ALLOWED = {
    "planner": {
        "work for prompt",
        "work for generator",
        "work for qa",
        "work for storage",
        "prompts written",
        "image generated",
        "image scored",
        "image stored",
        "job failed",
        "job cancelled",
        "status",
        "control",
        "presence of planner",
        "purge of the work",
        "next for planner",
        "answer to a client",
        "answer to a generator",
        "question about stored pictures",
        "answer to the operator",
    },
    "prompt": {"prompts written", "answer to a client", "answer to the planner"},
    # A generator has a consumer per platform, so the consumer's name is open within the work stream.
    "generator": {
        "work for qa",
        "intent of a paid call",
        "image generated",
        "job failed",
        "job cancelled",
        "next for qa",
        "ack of qa",
        "ack of qa, second form",
        "answer to a client",
        "answer to the operator",
    },
    "qa": {
        "work for storage",
        "image scored",
        "job failed",
        "presence of qa",
        "dead letter of qa",
        "next for qa",
        "ack of qa",
        "ack of qa, second form",
        "answer to a client",
    },
    "storage": {"image stored", "job failed", "answer to a client", "answer to the planner"},
    "operator": {
        "operator's command",
        "picture to make again",
        "a dead letter's bytes",
        "removal of a dead letter",
        "work for prompt",
        "work for generator",
        "work for qa",
        "work for storage",
        "prompts written",
        "image generated",
        "image scored",
        "image stored",
        "job failed",
        "job cancelled",
    },
    "client": {"command"},
    "admin": set(SUBJECTS),
}

HEARD = {
    "command": "acp.v1.command.*",
    "operator's commands": "acp.v1.operator",
    "paid calls": "acp.v1.ledger.*",
    "questions about stored pictures": "acp.v1.stored",
    "pictures to make again": "acp.v1.remake",
    "status": "acp.v1.status.>",
    "progress": "acp.v1.progress.>",
    "events": "acp.v1.event.>",
    "work": "acp.v1.work.>",
    "control of qa": "acp.v1.control.qa",
    "dead letters": "acp.v1.dead.>",
    "default inbox": "_INBOX.x.>",
    "operator's inbox": "_INBOX_operator.x.>",
    "planner's inbox": "_INBOX_planner.x.>",
    "qa's inbox": "_INBOX_qa.x.>",
    "service questions": "$SRV.PING",
    "presence": "$KV.acp_presence.>",
    "everything": ">",
}

MAY_HEAR = {
    "planner": {"command", "operator's commands", "paid calls", "planner's inbox", "service questions"},
    "prompt": {"service questions"},
    "generator": {"pictures to make again", "service questions"},
    "qa": {"control of qa", "qa's inbox", "service questions"},
    "storage": {"questions about stored pictures", "service questions"},
    "operator": {"operator's inbox"},
    "client": {"status", "progress", "events", "default inbox"},
    "admin": set(HEARD),
}


class Refusals:
    """A connection that notes which subjects the broker refuses it."""

    def __init__(self) -> None:
        self.client = Client()
        self.noted: list[str] = []

    async def note(self, error: Exception) -> None:
        self.noted.append(str(error))

    async def open(self, server: EmbeddedServer, login: str) -> None:
        address = server.address(login)
        prefix = topology.inbox_prefix(login)
        await self.client.connect(
            address.url, user=address.user, password=address.password, inbox_prefix=prefix, error_cb=self.note
        )

    async def refused(self, subject: str) -> bool:
        """Whether the broker refused the subject that was just named."""
        await self.client.flush()  # nats-py lets a PING overtake what is pending, so only
        await self.client.flush()  # the second one is answered after it
        return any(f'"{subject}"'.lower() in error.lower() for error in self.noted)


@pytest.mark.parametrize("login", sorted(LOGINS))
async def test_a_login_may_say_what_its_work_needs_and_nothing_else(
    workshop_server: EmbeddedServer, login: str
) -> None:
    connection = Refusals()
    async with asyncio.timeout(20):
        await connection.open(workshop_server, login)
        said: set[str] = set()
        for name, subject in SUBJECTS.items():
            await connection.client.publish(subject, b"{}")
            if not await connection.refused(subject):
                said.add(name)
            if name == "delete of a stream" and login == "admin":
                async with admin_of(workshop_server) as admin:
                    await topology.apply_topology(admin)
        await connection.client.close()
    assert said == ALLOWED[login]


@pytest.mark.parametrize("login", sorted(LOGINS))
async def test_a_login_may_hear_what_its_work_needs_and_nothing_else(
    workshop_server: EmbeddedServer, login: str
) -> None:
    connection = Refusals()
    async with asyncio.timeout(20):
        await connection.open(workshop_server, login)
        heard: set[str] = set()
        for name, subject in HEARD.items():
            await connection.client.subscribe(subject)  # pyright: ignore[reportUnknownMemberType]
            if not await connection.refused(subject):
                heard.add(name)
        await connection.client.close()
    assert heard == MAY_HEAR[login]


def test_the_matrix_speaks_of_every_login() -> None:
    assert set(ALLOWED) == set(MAY_HEAR) == set(LOGINS) == {"admin", "client", "operator", *ROLES}


async def test_no_agent_may_make_a_consumer_of_anothers_work(workshop_server: EmbeddedServer) -> None:
    address = workshop_server.address("generator")
    connection = await connect(address, name="test", inbox_prefix="_INBOX_generator", wait_s=5)
    config = {"name": "spy", "durable_name": "spy", "ack_policy": "explicit", "filter_subject": "acp.v1.work.qa.>"}
    request = {"stream_name": ACP_WORK, "config": config}
    try:
        async with asyncio.timeout(10):
            with pytest.raises(TimeoutError):
                await connection.request_api(f"CONSUMER.CREATE.{ACP_WORK}.spy.acp.v1.work.qa.>", request)
            with pytest.raises(ApiError):  # the filter in the subject, which is checked, must be the one asked for
                await connection.request_api(f"CONSUMER.CREATE.{ACP_WORK}.spy.acp.v1.work.generate.>", request)
    finally:
        await connection.close()


async def stream_names(admin: Connection) -> set[str]:
    return set((await admin.request_api("STREAM.NAMES", {}))["streams"])


async def test_applying_twice_and_by_two_at_once_keeps_what_is_stored(nats_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(nats_server) as admin, admin_of(nats_server) as other:
        await asyncio.gather(topology.apply_topology(admin), topology.apply_topology(other))
        await put(admin, write_prompts())
        await topology.apply_topology(admin)
        assert await stream_names(admin) == STREAMS
        assert await stored(admin, ACP_WORK) == 1


async def test_a_changed_stream_is_updated_in_place(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await topology.apply_topology(admin, presence_ttl_s=3.0)
        config = (await admin.request_api(f"STREAM.INFO.{PRESENCE_STREAM}", {}))["config"]
    assert config["max_age"] == 3_000_000_000


async def test_streams_deleted_a_moment_ago_are_made_again(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(30), admin_of(workshop_server) as admin:
        for _ in range(10):
            for name in STREAMS:
                await admin.request_api(f"STREAM.DELETE.{name}", {})
            await topology.apply_topology(admin)
        assert await stream_names(admin) == STREAMS


async def test_whoever_maintains_the_streams_makes_them_again(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin, admin_of(workshop_server) as keeper:
        keeping = asyncio.ensure_future(topology.maintain_topology(keeper))
        try:
            await admin.request_api(f"STREAM.DELETE.{ACP_WORK}", {})
            while await stream_names(admin) != STREAMS:
                pass
        finally:
            keeping.cancel()
