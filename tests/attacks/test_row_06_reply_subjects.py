"""Row 6: an answer that is pointed anywhere reaches nobody but its asker.

JetStream and the agents answer with rights of their own, to the subject that the asker chose.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from nats.aio.msg import Msg

from bus.connection import Connection, connect
from bus.consumers import put_consumer
from bus.server import EmbeddedServer
from bus.topology import streams
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_STATUS, ACP_WORK, PRESENCE_STREAM
from protocol.consumers import PutConsumer
from tests.attacks.test_row_05_broker_rights import CLIENT, IDENTITIES, Login, noting
from tests.bus.scripted import admin_of, put, stored, write_prompts

TARGETS = (
    "acp.v1.work.qa.forged.0.1",
    "acp.v1.work.generate.pocket.forged.0.1",
    "acp.v1.event.local.forged.stored",
    "acp.v1.event.local.forged.scored",
    "acp.v1.status.local.forged",
    "acp.v1.status.other.forged",
    "$KV.acp_presence.generator.forged",
    "acp.v1.dead.planner",
    "acp.v1.control.qa",
    "acp.v1.control.generator",
    "acp.v1.operator",
    "acp.v1.command.other",
    "acp.v1.ledger.intent",
    f"$JS.API.STREAM.PURGE.{ACP_WORK}",
    f"acp.api.STREAM.PURGE.{ACP_WORK}",
    f"$JS.ACK.{ACP_WORK}.qa.1.1.1.1.0",
)
"""Where an attacker would have an answer arrive."""

OWN = {
    "operator": {"acp.v1.operator", "acp.v1.command.other"},
    "gateway": {"acp.v1.command.other"},
    "planner": {
        "acp.v1.control.qa",
        "acp.v1.control.generator",
        "acp.v1.dead.planner",
        "acp.v1.operator",
        "acp.v1.ledger.intent",
        f"acp.api.STREAM.PURGE.{ACP_WORK}",
    },
    "qa": {"acp.v1.control.qa"},  # processes of one role share an account, and are one another's equals
    "generator": {"acp.v1.control.generator"},
}
"""Places where a login may speak anyway, or that lie in its own account."""

ASKED: dict[str, tuple[tuple[str, bytes], ...]] = {
    CLIENT: (("acp.v1.command.local", b"{}"), ("$SRV.PING", b"")),
    "gateway": (("acp.v1.command.other", b"{}"), ("$SRV.INFO", b"")),
    "operator": (
        (f"$JS.API.DIRECT.GET.{PRESENCE_STREAM}", b'{"seq":1}'),
        (f"acp.api.STREAM.INFO.{ACP_DEAD}", b"{}"),
    ),
    "planner": (
        (f"acp.api.STREAM.INFO.{PRESENCE_STREAM}", b"{}"),
        (f"$JS.API.DIRECT.GET.{PRESENCE_STREAM}", b'{"seq":1}'),
        (f"$JS.API.CONSUMER.MSG.NEXT.{ACP_EVENTS}.planner", b'{"batch":1,"expires":1000000000}'),
    ),
    "prompt": ((f"$JS.API.CONSUMER.MSG.NEXT.{ACP_WORK}.prompt", b'{"batch":1,"expires":1000000000}'),),
    "generator": ((f"acp.api.CONSUMER.INFO.{ACP_WORK}.generate_pocket", b"{}"),),
    "qa": (
        (f"acp.api.STREAM.INFO.{ACP_EVENTS}", b"{}"),
        (f"$JS.API.DIRECT.GET.{ACP_EVENTS}", b'{"seq":1}'),
        ("acp.v1.consumer.qa", b"{}"),
    ),
    "storage": ((f"acp.api.CONSUMER.INFO.{ACP_WORK}.storage", b"{}"),),
}


@asynccontextmanager
async def listening(login: Login) -> AsyncGenerator[tuple[list[str], Connection]]:
    """Those whom a forged message would reach, and what reached them; the planner answers commands."""
    heard: list[str] = []
    connections: list[Connection] = []

    async def note(message: Msg) -> None:
        heard.append(message.subject)

    async def hear(name: str, *subjects: str) -> Connection:
        connection = await connect(login(name), name="victim", wait_s=5)
        connections.append(connection)
        for subject in subjects:
            await connection.subscribe(subject, note)
        await connection.client.flush()
        return connection

    async def answer(message: Msg) -> None:
        await planner.send(message.reply, b"{}")

    planner = await hear("planner", "acp.v1.operator", "acp.v1.ledger.*")
    await planner.subscribe("acp.v1.command.local", answer)
    await planner.subscribe("$SRV.PING", answer)
    await hear("qa", "acp.v1.control.qa")
    await hear("generator", "acp.v1.control.generator")
    await hear("gateway", "acp.v1.status.>")
    try:
        yield heard, planner
    finally:
        for connection in connections:
            await connection.client.flush()
            await connection.close()


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_an_answer_pointed_anywhere_reaches_nobody_but_its_asker(
    workshop_server: EmbeddedServer, login: Login, identity: str
) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin, listening(login) as (heard, _):
        await put(admin, write_prompts())
        await admin.client.request("$KV.acp_presence.qa.1", b"{}")
        for role, stream, durable, filters in (
            ("planner", ACP_EVENTS, "planner", ["acp.v1.event.>"]),
            ("prompt", ACP_WORK, "prompt", ["acp.v1.work.prompt.>"]),
            ("generator", ACP_WORK, "generate_pocket", ["acp.v1.work.generate.pocket.>"]),
        ):
            wanted = PutConsumer(stream=stream, durable=durable, filter_subjects=filters, ack_wait_s=30)
            connection = await connect(login(role), name="own", wait_s=5)
            await put_consumer(connection, role, wanted)  # pyright: ignore[reportArgumentType]
            await connection.close()
        before = {one.name: await stored(admin, one.name) for one in streams() if one.name is not None}
        attacker = await connect(login(identity), name="attacker", wait_s=5)
        for target in set(TARGETS) - OWN.get(identity, set()):
            for subject, payload in ASKED[identity]:
                await attacker.client.publish(subject, payload, reply=target)
        await attacker.client.flush()
        await attacker.client.flush()
        await admin.request_api("INFO", {})
        after = {one.name: await stored(admin, one.name) for one in streams() if one.name is not None}
        await attacker.close()
    assert after == before
    assert heard == []


async def test_a_client_hears_neither_the_answers_nor_the_statuses_of_another(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    heard: list[Msg] = []

    async def note(message: Msg) -> None:
        heard.append(message)

    async with (
        asyncio.timeout(20),
        listening(login) as (_, planner),
        noting(login(CLIENT)) as own,
        admin_of(workshop_server) as admin,
    ):
        gateway = await connect(login("gateway"), name="spy", wait_s=5)
        await gateway.subscribe("_INBOX.>", note)
        await gateway.client.flush()
        assert (await own.client.request("acp.v1.command.local", b"{}", timeout=5)).data == b"{}"
        statuses = await own.client.subscribe("acp.v1.status.local.>")  # pyright: ignore[reportUnknownMemberType]
        await own.settle()
        for client in ("other", "local"):
            await planner.client.request(f"acp.v1.status.{client}.batch", json.dumps(client).encode(), timeout=5)
        assert (await statuses.next_msg(5)).data == b'"local"'
        assert await stored(admin, ACP_STATUS) == 2
        await gateway.client.flush()
        await gateway.close()
    assert heard == []
