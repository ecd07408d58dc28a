"""Row 7 of the attack table, identity: whoever has a client's login is that client, and nobody else, for as long as it
has the login. What a body says does not count."""
# pyright: reportUnknownMemberType=false
# nats-py leaves its options untyped.

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest
from nats.aio.client import Client as Nats
from nats.errors import TimeoutError as NatsTimeoutError

from bus.connection import Address, LoginRefused, connect
from tests.doors.cli.conftest import Home, home, workshop

UNCLOSED = "ignore::pytest.PytestUnraisableExceptionWarning"
"""nats-py leaves the sockets of refused connections to the garbage collector, which complains of them."""


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a test leaves is complained of in that test, and in none after it."""
    yield
    gc.collect()


__all__ = ["home", "workshop"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.filterwarnings(UNCLOSED)]

ORDER = {"cmd": "GENERATE_IMAGES", "brief": "a red mug", "platform": "pocket"}

ANSWER_S = 0.2
"""Longest wait for an answer that must not come."""


@pytest.fixture(scope="module")
def acme(workshop: Home) -> str:
    """The URL of the only client that was made known."""
    return url_of(workshop, "create", "acme")


def url_of(home: Home, *arguments: str) -> str:
    """The URL that a change of a client prints."""
    done = home.run("clients", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["url"]


def gateway_url(home: Home) -> str:
    """The URL of a program that speaks for clients of its own."""
    return json.loads(home.run("url", "--gateway", "--json").stdout)["url"]


@asynccontextmanager
async def connected(url: str, said: list[str] | None = None) -> AsyncGenerator[Nats]:
    """An unchanged NATS client that does not come back; what the server complains of is put into `said`."""

    async def note(error: Exception) -> None:
        if said is not None:
            said.append(str(error).lower())

    connection = await nats.connect(url, error_cb=note, allow_reconnect=False, connect_timeout=5)
    try:
        yield connection
    finally:
        if not connection.is_closed:
            await connection.close()


async def ask(connection: Nats, subject: str, command: dict[str, Any]) -> dict[str, Any]:
    return json.loads((await connection.request(subject, json.dumps(command).encode(), timeout=5)).data)


def run(attack: Coroutine[Any, Any, None]) -> None:
    asyncio.run(attack)


async def refused_at_the_broker(url: str, subject: str, command: dict[str, Any]) -> bool:
    """Whether the broker forbids a login to publish there; nobody answers."""
    said: list[str] = []
    async with connected(url, said) as connection:
        with pytest.raises((NatsTimeoutError, TimeoutError)):
            await connection.request(subject, json.dumps(command).encode(), timeout=ANSWER_S)
    return any("permissions violation" in one for one in said)


def test_a_client_cannot_speak_on_the_subject_of_another(acme: str) -> None:
    async def attack() -> None:
        for other in ("local", "beta"):
            assert await refused_at_the_broker(acme, f"acp.v1.command.{other}", {"cmd": "LIST"})

    run(attack())


def test_a_body_names_no_other_client_than_the_login(acme: str) -> None:
    async def attack() -> None:
        async with connected(acme) as connection:
            for number in range(100):
                other = "local" if number == 0 else f"somebody_{number}"
                reply = await ask(connection, "acp.v1.command.acme", {"cmd": "LIST", "client_id": other})
                assert reply["error"]["code"] == "client_mismatch"
            own = await ask(connection, "acp.v1.command.acme", {"cmd": "LIST", "client_id": "acme"})
            assert own == {"batch_list": {"batches": [], "next": None}}

    run(attack())


def test_a_client_hears_nothing_that_another_one_is_told(workshop: Home, acme: str) -> None:
    gateway = gateway_url(workshop)

    async def attack() -> None:
        said: list[str] = []
        heard: list[str] = []

        async def hear(message: Any) -> None:
            heard.append(message.subject)

        async with connected(acme, said) as connection, connected(gateway) as speaker:
            forbidden = ("acp.v1.status.local.>", "acp.v1.progress.local.>", "acp.v1.status.>", "acp.v1.event.>", ">")
            for subject in forbidden:
                await connection.subscribe(subject, cb=hear)
            made = await ask(speaker, "acp.v1.command.local", ORDER)
            wanted = {"cmd": "RESULT", "hash": made["hash"], "wait_s": 4}
            assert "generation_result" in await ask(speaker, "acp.v1.command.local", wanted)
            await connection.flush()
            assert len([one for one in said if "permissions violation" in one]) == len(forbidden)
        assert heard == []

    run(attack())


def test_a_client_sends_nothing_that_is_the_operators(workshop: Home, acme: str) -> None:
    raised = {"cmd": "LIMIT_CLIENT", "client_id": "acme", "weight": 1000}

    async def attack() -> None:
        assert await refused_at_the_broker(acme, "acp.v1.operator", raised)
        async with connected(acme) as connection:
            reply = await ask(connection, "acp.v1.command.acme", raised)
            assert reply["error"]["code"] == "unknown_command"

    run(attack())
    assert json.loads(workshop.run("clients", "show", "acme", "--json").stdout)["client"]["weight"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--client", "local"],
        ["list", "--client", "all"],
        ["clients", "list"],
        ["clients", "create", "beta"],
        ["url", "--client", "local"],
        ["url", "--gateway"],
        ["dead-letters", "list"],
        ["restore", "a_backup"],
    ],
)
def test_the_terminal_speaks_with_a_clients_login_for_that_client_alone(
    home: Home, acme: str, arguments: list[str]
) -> None:
    done = home.run(*arguments, "--json", BOTTEGA_NATS_URL=acme)
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "client_mismatch"
    assert "login of the client acme" in error["message"]
    assert error["hint"]


def test_the_first_client_closes_the_door_to_names_that_nobody_made_known(workshop: Home, acme: str) -> None:
    gateway = gateway_url(workshop)

    async def attack() -> None:
        async with connected(gateway) as connection:
            refused = (await ask(connection, "acp.v1.command.stranger", ORDER))["error"]
            assert refused["code"] == "unknown_client"
            assert "bottega clients create stranger" in refused["hint"]
            assert "generation_plan" in await ask(connection, "acp.v1.command.acme", ORDER)

    run(attack())


def test_a_new_password_ends_the_old_one_and_what_is_connected_with_it(workshop: Home) -> None:
    before = url_of(workshop, "create", "rotated")

    async def attack() -> None:
        async with connected(before) as connection:
            after = await asyncio.to_thread(url_of, workshop, "rotate", "rotated")
            await cut_off(connection)
        with pytest.raises(LoginRefused):
            await connect(Address.parse(before), name="attack", wait_s=5)
        async with connected(after) as connection:
            assert "batch_list" in await ask(connection, "acp.v1.command.rotated", {"cmd": "LIST"})

    run(attack())


def test_a_revoked_login_is_cut_off_and_refused_until_the_client_gets_a_new_one(workshop: Home) -> None:
    before = url_of(workshop, "create", "revoked")

    async def attack() -> None:
        async with connected(before) as connection:
            done = await asyncio.to_thread(workshop.run, "clients", "revoke", "revoked", "--json")
            assert json.loads(done.stdout)["client"]["state"] == "revoked"
            await cut_off(connection)
        with pytest.raises(LoginRefused):
            await connect(Address.parse(before), name="attack", wait_s=5)
        after = await asyncio.to_thread(url_of, workshop, "resume", "revoked")
        async with connected(after) as connection:
            assert "batch_list" in await ask(connection, "acp.v1.command.revoked", {"cmd": "LIST"})

    run(attack())


async def cut_off(connection: Nats) -> None:
    """Return once the server has ended the connection.

    Raises:
        TimeoutError: it goes on.
    """
    async with asyncio.timeout(10):
        while connection.is_connected:
            await asyncio.to_thread(lambda: None)
