"""The operator changes clients over the broker, and no client can do it for itself."""
# pyright: reportUnknownMemberType=false
# nats-py leaves its options untyped.

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import nats
import pytest
from nats.aio.client import Client as Nats

from bus.client import Client
from bus.connection import Address
from bus.operator import Operator
from protocol import codec, subjects
from protocol.accounts import ClientList, ClientReply
from protocol.commands import Budget, GenerateImages, Requirements, Result
from protocol.operator import (
    CreateClient,
    LimitClient,
    ListClients,
    OperatorCommand,
    ResumeClient,
    ShowClient,
    SuspendClient,
)
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply, Reply
from protocol.results import GenerationResult
from tests.workshop import instant_settings, served

R = TypeVar("R", bound=Reply)
Login = Callable[[str], Address]

pytestmark = pytest.mark.slow


def order(quantity: int = 2) -> GenerateImages:
    return GenerateImages(brief="a red mug", platform="pocket", requirements=Requirements(quantity=quantity))


async def asked(operator: Operator, command: OperatorCommand, kind: type[R]) -> R:
    reply = await operator.request(command)
    assert isinstance(reply, kind), reply
    return reply


async def planned(client: Client, client_id: str, quantity: int = 2) -> str | None:
    """The batch of a new command, or the code of its refusal."""
    reply = await client.request(order(quantity), client_id)
    if isinstance(reply, ErrorReply):
        return reply.error.code
    assert isinstance(reply, GenerationPlan)
    refusal = reply.generation_plan.refusal
    return refusal.code if refusal else reply.hash


async def stored(client: Client, client_id: str, batch: str) -> int:
    """Pictures of a batch once it has ended."""
    reply = await client.request(Result(hash=batch, wait_s=20), client_id, timeout=25)
    assert isinstance(reply, GenerationResult)
    return reply.generation_result.generation_status.completed


async def test_the_operator_makes_limits_suspends_and_resumes_a_client(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home", open_door=False)
    async with asyncio.timeout(50), served(settings, login) as client, Operator.open(login("operator")) as operator:
        assert await planned(client, "acme") == "unknown_client"
        await asked(operator, CreateClient(client_id="acme", limit=Budget(amount=5.0)), ClientReply)
        batch = await planned(client, "acme")
        assert batch is not None
        assert await stored(client, "acme", batch) == 2
        await asked(operator, SuspendClient(client_id="acme"), ClientReply)
        assert await planned(client, "acme") == "suspended"
        await asked(operator, ResumeClient(client_id="acme"), ClientReply)
        assert await planned(client, "acme") not in ("suspended", None)
        shown = (await asked(operator, ShowClient(client_id="acme"), ClientReply)).client
        assert (shown.limit, shown.state, shown.pictures >= 2) == (5.0, "active", True)
        everyone = (await asked(operator, ListClients(), ClientList)).client_list
        assert [one.client_id for one in everyone.clients] == ["acme"]
        missing = (await asked(operator, ShowClient(client_id="nobody"), ErrorReply)).error
        assert (missing.code, missing.retryable) == ("unknown_client", False)


async def test_a_batch_of_a_suspended_client_goes_on_where_it_stood_when_it_is_resumed(
    tmp_path: Path, login: Login
) -> None:
    settings = instant_settings(tmp_path / "home", window=1, reconcile_s=60.0)
    async with asyncio.timeout(50), served(settings, login) as client, Operator.open(login("operator")) as operator:
        await asked(operator, CreateClient(client_id="acme"), ClientReply)
        batch = await planned(client, "acme", quantity=60)
        assert batch is not None
        await asked(operator, SuspendClient(client_id="acme"), ClientReply)
        await asked(operator, ResumeClient(client_id="acme"), ClientReply)
        assert await stored(client, "acme", batch) == 60


async def test_a_client_cannot_raise_its_own_limit(tmp_path: Path, login: Login) -> None:
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def note(error: Exception) -> None:
        await refused.put(str(error))

    raised = codec.encode(LimitClient(client_id="acme", limit=Budget(amount=1000.0)))
    settings = instant_settings(tmp_path / "home")
    async with (
        asyncio.timeout(50),
        served(settings, login, ("planner",)) as client,
        Operator.open(login("operator")) as operator,
    ):
        await asked(operator, CreateClient(client_id="acme", limit=Budget(amount=1.0)), ClientReply)
        address = login("client_local")
        stranger: Nats = await nats.connect(address.url, user=address.user, password=address.password, error_cb=note)
        await stranger.publish(subjects.OPERATOR, raised, reply=stranger.new_inbox())
        await stranger.flush()
        assert "permissions violation" in (await refused.get()).lower()
        await stranger.close()
        assert isinstance(await client.request(raised, "acme"), ErrorReply)
        shown = (await asked(operator, ShowClient(client_id="acme"), ClientReply)).client
        assert shown.limit == 1.0
