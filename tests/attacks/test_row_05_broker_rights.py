"""Row 5: what each login may say and hear on the broker, tried there: nothing beyond its table.

A client's login, an agent's and the operator's try every subject of the protocol, every verb of JetStream and of
key-value buckets, and reply and deliver subjects of all kinds.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client

from bus.accounts import LOGINS
from bus.connection import Address, connect
from bus.consumers import put_consumer
from bus.server import EmbeddedServer
from bus.topology import streams
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_STATUS, ACP_WORK, PRESENCE_STREAM
from protocol.consumers import PutConsumer
from protocol.messages import ROLES
from tests.bus.scripted import admin_of

Login = Callable[[str], Address]
CLIENT = "client_local"
IDENTITIES = (CLIENT, "gateway", "operator", *ROLES)

SAID = {
    "work for prompt": "acp.v1.work.prompt.batch.0",
    "work for generator": "acp.v1.work.generate.pocket.batch.0.1",
    "work for qa": "acp.v1.work.qa.batch.0.1",
    "work for storage": "acp.v1.work.storage.batch.0.1",
    "prompts written": "acp.v1.event.local.batch.prompts_written",
    "image generated": "acp.v1.event.local.batch.generated",
    "image scored": "acp.v1.event.local.batch.scored",
    "image stored": "acp.v1.event.local.batch.stored",
    "contact sheet": "acp.v1.event.local.batch.contact_sheet",
    "job failed": "acp.v1.event.local.batch.failed",
    "job cancelled": "acp.v1.event.local.batch.cancelled",
    "status": "acp.v1.status.local.batch",
    "progress": "acp.v1.progress.local.batch",
    "own command": "acp.v1.command.local",
    "another's command": "acp.v1.command.other",
    "operator's command": "acp.v1.operator",
    "intent of a paid call": "acp.v1.ledger.intent",
    "question about stored pictures": "acp.v1.stored",
    "draft": "acp.v1.draft",
    "picture to make again": "acp.v1.remake",
    "control": "acp.v1.control.generator",
    "consumer of qa": "acp.v1.consumer.qa",
    "presence of qa": "$KV.acp_presence.qa.1",
    "presence of planner": "$KV.acp_presence.planner.1",
    "dead letter of qa": "acp.v1.dead.qa",
    "services": "$SRV.PING",
    "purge of the work": f"acp.api.STREAM.PURGE.{ACP_WORK}",
    "removal of a dead letter": f"acp.api.STREAM.MSG.DELETE.{ACP_DEAD}",
    "next for qa": f"$JS.API.CONSUMER.MSG.NEXT.{ACP_WORK}.qa",
    "next for pocket": f"$JS.API.CONSUMER.MSG.NEXT.{ACP_WORK}.generate_pocket",
    "next for planner": f"$JS.API.CONSUMER.MSG.NEXT.{ACP_EVENTS}.planner",
    "ack of qa": f"$JS.ACK.{ACP_WORK}.qa.1.1.1.1.0",
    "ack of qa, second form": f"$JS.ACK._.hash.{ACP_WORK}.qa.1.1.1.1.0.token",
    "bytes of a dead letter": f"$JS.API.DIRECT.GET.{ACP_DEAD}",
    "bytes of an event": f"$JS.API.DIRECT.GET.{ACP_EVENTS}",
    "bytes of a status": f"$JS.API.DIRECT.GET.{ACP_STATUS}.acp.v1.status.local.batch",
    "bytes of a presence": f"$JS.API.DIRECT.GET.{PRESENCE_STREAM}",
}

MAY_SAY: dict[str, set[str]] = {
    CLIENT: {"own command", "services"},
    "gateway": {"own command", "another's command", "services"},
    "operator": {
        "own command",
        "another's command",
        "services",
        "operator's command",
        "picture to make again",
        "work for prompt",  # what was given up, put back where it was
        "work for generator",
        "work for qa",
        "work for storage",
        "prompts written",
        "image generated",
        "image scored",
        "image stored",
        "contact sheet",
        "job failed",
        "job cancelled",
        "removal of a dead letter",
        "bytes of a dead letter",
        "bytes of a presence",
    },
    "planner": {
        "work for prompt",
        "work for generator",
        "work for qa",
        "work for storage",
        "status",
        "control",
        "question about stored pictures",
        "draft",
        "presence of planner",
        "purge of the work",
        "next for planner",
        "bytes of a presence",
    },
    "prompt": {"prompts written"},
    "generator": {
        "image generated",
        "job failed",
        "job cancelled",
        "work for qa",
        "progress",
        "intent of a paid call",
        "next for pocket",
    },
    "qa": {
        "image scored",
        "job failed",
        "work for storage",
        "consumer of qa",
        "presence of qa",
        "dead letter of qa",
        "next for qa",
        "ack of qa",
        "ack of qa, second form",
        "bytes of an event",
    },
    "storage": {"image stored", "contact sheet", "job failed"},
}

VERBS = (
    "INFO",
    "STREAM.NAMES",
    "STREAM.LIST",
    *(
        f"STREAM.{verb}.{stream}"
        for verb in ("CREATE", "UPDATE", "DELETE", "PURGE", "INFO", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE")
        for stream in (ACP_WORK, ACP_EVENTS, ACP_STATUS, ACP_DEAD, PRESENCE_STREAM)
    ),
    *(
        f"CONSUMER.{verb}.{ACP_EVENTS}{rest}"
        for verb, rest in (
            ("CREATE", ""),
            ("CREATE", ".spy"),
            ("CREATE", ".planner.acp.v1.event.>"),
            ("DURABLE.CREATE", ".planner"),
            ("DELETE", ".planner"),
            ("PAUSE", ".planner"),
            ("UNPIN", ".planner"),
            ("RESET", ".planner"),
            ("LIST", ""),
            ("NAMES", ""),
        )
    ),
    f"CONSUMER.CREATE.{PRESENCE_STREAM}.spy.$KV.acp_presence.>",
    f"CONSUMER.CREATE.{ACP_WORK}.qa.acp.v1.work.qa.>",
)
"""Verbs of JetStream's own API, which no login but the supervisor's may use under that name."""

HEARD = {
    "all": ">",
    "everything of the protocol": "acp.v1.>",
    "commands": "acp.v1.command.*",
    "work": "acp.v1.work.>",
    "events": "acp.v1.event.>",
    "scored": "acp.v1.event.*.*.scored",
    "own statuses": "acp.v1.status.local.>",
    "statuses": "acp.v1.status.>",
    "own progress": "acp.v1.progress.local.>",
    "progress": "acp.v1.progress.>",
    "operator's commands": "acp.v1.operator",
    "paid calls": "acp.v1.ledger.*",
    "questions about stored pictures": "acp.v1.stored",
    "drafts": "acp.v1.draft",
    "pictures to make again": "acp.v1.remake",
    "control of qa": "acp.v1.control.qa",
    "control": "acp.v1.control.*",
    "consumers": "acp.v1.consumer.*",
    "dead letters": "acp.v1.dead.*",
    "presence": "$KV.acp_presence.*.>",
    "own inbox": "_INBOX.>",
    "way back": "_R_.>",
    "services": "$SRV.>",
    "JetStream": "$JS.>",
    "system": "$SYS.>",
}

MAY_HEAR: dict[str, set[str]] = {
    CLIENT: {"own inbox", "own statuses", "own progress"},
    "gateway": {"own inbox", "own statuses", "statuses", "own progress", "progress"},
    "operator": {
        "own inbox",
        "own statuses",
        "statuses",
        "own progress",
        "progress",
        "dead letters",
        "presence",
    },
    "planner": {"own inbox", "commands", "operator's commands", "paid calls", "presence", "services"},
    "prompt": {"own inbox", "drafts", "services"},
    "generator": {"own inbox", "pictures to make again", "services"},
    "qa": {"own inbox", "scored", "control of qa", "services"},
    "storage": {"own inbox", "questions about stored pictures", "services"},
}


class Refusals:
    """A connection that notes which subjects the broker refuses it."""

    def __init__(self) -> None:
        self.client = Client()
        self.noted: list[str] = []

    async def note(self, error: Exception) -> None:
        self.noted.append(str(error).lower())

    async def settle(self) -> None:
        """Nats-py lets a PING overtake what is pending, so only the second one is answered after it."""
        await self.client.flush()
        await self.client.flush()

    def refused(self, subject: str) -> bool:
        return any(f'"{subject}"'.lower() in error for error in self.noted)


@asynccontextmanager
async def noting(address: Address) -> AsyncGenerator[Refusals]:
    """A plain client with nothing but a URL, as a stranger has it."""
    found = Refusals()
    await found.client.connect(address.url_with_credentials, error_cb=found.note)
    try:
        yield found
    finally:
        await found.client.close()


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_a_login_says_what_its_table_allows_and_nothing_else(
    workshop_server: EmbeddedServer, login: Login, identity: str
) -> None:
    async with asyncio.timeout(20), noting(login(identity)) as stranger:
        for subject in SAID.values():
            await stranger.client.publish(subject, b"{}")
        await stranger.settle()
        assert {name for name, subject in SAID.items() if not stranger.refused(subject)} == MAY_SAY[identity]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_a_login_hears_what_its_table_allows_and_nothing_else(
    workshop_server: EmbeddedServer, login: Login, identity: str
) -> None:
    async with asyncio.timeout(20), noting(login(identity)) as stranger:
        for subject in HEARD.values():
            await stranger.client.subscribe(subject)  # pyright: ignore[reportUnknownMemberType]
        await stranger.settle()
        assert {name for name, subject in HEARD.items() if not stranger.refused(subject)} == MAY_HEAR[identity]


@pytest.mark.parametrize("identity", IDENTITIES)
async def test_no_login_uses_a_verb_of_jetstream_or_of_the_system(
    workshop_server: EmbeddedServer, login: Login, identity: str
) -> None:
    subjects = [f"$JS.API.{verb}" for verb in VERBS]
    subjects += ["$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.ACP.CONNZ", "$JS.FC.x", "$KV.other.key", "$O.x"]
    async with asyncio.timeout(20), noting(login(identity)) as stranger, admin_of(workshop_server) as admin:
        for subject in subjects:
            await stranger.client.publish(subject, b"{}", reply=stranger.client.new_inbox())
        await stranger.settle()
        assert [subject for subject in subjects if not stranger.refused(subject)] == []
        assert set((await admin.request_api("STREAM.NAMES", {}))["streams"]) == {one.name for one in streams()}


def test_the_tables_speak_of_every_login() -> None:
    assert {*IDENTITIES, "admin"} == {*LOGINS, CLIENT} == {*MAY_SAY, "admin"} == {*MAY_HEAR, "admin"}


async def test_a_role_takes_no_work_of_another_and_rewrites_nobodys_consumer(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        qa = await connect(login("qa"), name="qa", wait_s=5)
        wanted = PutConsumer(stream=ACP_WORK, durable="qa", filter_subjects=["acp.v1.work.qa.>"], ack_wait_s=30)
        await put_consumer(qa, "qa", wanted)
        before = (await admin.request_api(f"CONSUMER.INFO.{ACP_WORK}.qa", {}))["config"]
        spy = PutConsumer(stream=ACP_WORK, durable="qa", filter_subjects=["acp.v1.work.qa.>"], ack_wait_s=0.001)
        async with noting(login("generator")) as generator:
            answer = await generator.client.request(
                "acp.v1.consumer.generator", json.dumps({"type": "PUT_CONSUMER", **_fields(spy)}).encode(), timeout=5
            )
            await generator.client.publish("acp.v1.consumer.qa", b"{}")
            await generator.settle()
            assert json.loads(answer.data)["error"]["code"] == "invalid_value"
            assert generator.refused("acp.v1.consumer.qa")
        assert (await admin.request_api(f"CONSUMER.INFO.{ACP_WORK}.qa", {}))["config"] == before
        await qa.close()


def _fields(wanted: PutConsumer) -> dict[str, object]:
    return {name: getattr(wanted, name) for name in wanted.__struct_fields__}
