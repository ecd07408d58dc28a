"""Requests to an agent, and the micro-service that each agent is (ADR-32)."""

import asyncio
import json
from collections.abc import Callable, Mapping

from nats.aio.client import Client as Nats

from bus.connection import Address
from bus.server import EmbeddedServer
from protocol.channels import ACP_STATUS
from protocol.errors import BadCommand
from protocol.messages import ROLES, Role
from tests.bus.scripted import RawAnswer, Scripted, admin_of, operator_of, raw_endpoint, served, stored

Login = Callable[[str], Address]
COMMANDS = "acp.v1.command.*"


async def echo(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
    return json.dumps([subject, payload.decode(), headers.get("Said")]).encode(), {"Answered": "yes"}


async def test_a_plain_nats_client_gets_an_answer(workshop_server: EmbeddedServer, login: Login) -> None:
    address = login("operator")
    client = Nats()
    await client.connect(address.url_with_credentials)
    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, echo)])
    async with asyncio.timeout(20), served(planner, login("planner")):
        answer = await client.request("acp.v1.command.anybody", b"{}", timeout=5, headers={"Said": "so"})
        await client.close()
    assert json.loads(answer.data) == ["acp.v1.command.anybody", "{}", "so"]
    assert answer.headers == {"Answered": "yes"}


async def test_requests_are_handled_side_by_side(workshop_server: EmbeddedServer, login: Login) -> None:
    together = asyncio.Barrier(20)

    async def meet(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        await together.wait()
        return payload, {}

    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, meet)])
    async with (
        asyncio.timeout(20),
        served(planner, login("planner")),
        operator_of(workshop_server) as operator,
    ):
        ask = [operator.client.request("acp.v1.command.me", str(n).encode(), timeout=10) for n in range(20)]
        answers = await asyncio.gather(*ask)
    assert [answer.data for answer in answers] == [str(n).encode() for n in range(20)]


async def test_a_reply_that_no_broker_would_take_becomes_an_error_and_the_process_lives_on(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def recite(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        return b"x" * int(payload), {}

    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, recite)])
    async with (
        asyncio.timeout(20),
        served(planner, login("planner")),
        operator_of(workshop_server) as operator,
    ):
        for size in (1024 * 1024 + 1, 1024 * 1024, 8 * 1024 * 1024):
            refused = await operator.client.request("acp.v1.command.me", str(size).encode(), timeout=5)
            assert json.loads(refused.data)["error"]["code"] == "too_large"
        small = await operator.client.request("acp.v1.command.me", b"1000000", timeout=5)

    assert len(small.data) == 1_000_000


async def test_a_failing_endpoint_answers_with_an_error_and_lives_on(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def fail(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        if payload == b"defect":
            raise ZeroDivisionError("with a secret in its text")
        raise BadCommand("unknown_field", "no such field", path="$.x", hint="leave it out")

    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, fail)])
    async with (
        asyncio.timeout(20),
        served(planner, login("planner")),
        operator_of(workshop_server) as operator,
    ):
        refused = await operator.client.request("acp.v1.command.me", b"refuse", timeout=5)
        broken = await operator.client.request("acp.v1.command.me", b"defect", timeout=5)
        statistics = await operator.client.request("$SRV.STATS.acp-planner", b"", timeout=5)

    error = json.loads(refused.data)["error"]
    assert (error["code"], error["path"], error["hint"]) == ("unknown_field", "$.x", "leave it out")
    assert refused.headers is not None
    assert refused.headers["Nats-Service-Error-Code"] == "unknown_field"
    assert json.loads(broken.data)["error"]["code"] == "internal"
    assert b"secret" not in broken.data
    endpoint = json.loads(statistics.data)["endpoints"][0]
    assert (endpoint["num_requests"], endpoint["num_errors"]) == (2, 2)
    assert endpoint["processing_time"] >= endpoint["average_processing_time"] > 0


async def test_every_agent_answers_ping_info_and_stats(workshop_server: EmbeddedServer, login: Login) -> None:
    address = login("operator")
    client = Nats()
    await client.connect(address.url_with_credentials)
    found: dict[str, Role] = {}
    async with asyncio.timeout(30):
        for role in ROLES:
            agent = Scripted(role, intakes=(), endpoints=[raw_endpoint(COMMANDS, echo)] if role == "planner" else [])
            async with served(agent, login(role), instance=f"{role}1", version="1.2.3"):
                for verb in ("PING", "INFO", "STATS"):
                    for subject in (f"$SRV.{verb}", f"$SRV.{verb}.acp-{role}", f"$SRV.{verb}.acp-{role}.{role}1"):
                        answer = json.loads((await client.request(subject, b"", timeout=5)).data)
                        assert answer["type"] == f"io.nats.micro.v1.{verb.lower()}_response"
                        assert (answer["name"], answer["id"]) == (f"acp-{role}", f"{role}1")
                        assert answer["version"] == "1.2.3"
                        if verb != "PING":
                            assert [e["subject"] for e in answer["endpoints"]] == [
                                endpoint.subject for endpoint in agent.endpoints()
                            ]
                found[f"acp-{role}"] = role
        await client.close()
    assert set(found.values()) == set(ROLES)


async def test_one_process_of_a_role_answers_each_request(workshop_server: EmbeddedServer, login: Login) -> None:
    answered: list[str] = []

    def counting(name: str) -> RawAnswer:
        async def answer(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, dict[str, str]]:
            answered.append(name)
            return payload, {}

        return answer

    first = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, counting("one"))])
    second = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, counting("two"))])
    async with (
        asyncio.timeout(20),
        served(first, login("planner")),
        served(second, login("planner")),
        operator_of(workshop_server) as operator,
    ):
        await asyncio.gather(*(operator.client.request("acp.v1.command.me", b"", timeout=5) for _ in range(30)))
    assert len(answered) == 30


async def test_a_client_cannot_make_an_agent_speak_elsewhere_than_to_an_inbox(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    address = login("operator")
    client = Nats()
    await client.connect(address.url_with_credentials)
    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, echo)])
    async with (
        asyncio.timeout(20),
        served(planner, login("planner")),
        admin_of(workshop_server) as admin,
    ):
        for subject in ("acp.v1.command.me", "$SRV.PING"):
            await client.publish(subject, b"{}", reply="acp.v1.status.other.batch")
        await client.request("acp.v1.command.me", b"{}", timeout=5)
        assert await stored(admin, ACP_STATUS) == 0
        await client.close()
