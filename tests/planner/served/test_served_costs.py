"""A client asks over the broker what its pictures cost; the operator may ask for any client."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from bus.client import Client
from bus.connection import Address
from bus.operator import Operator
from protocol.accounts import CostReport
from protocol.commands import Costs, GenerateImages, Requirements, Result
from protocol.operator import ShowCosts
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from protocol.results import GenerationResult, ResultBody
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]

pytestmark = pytest.mark.slow


async def made(client: Client, client_id: str, quantity: int) -> tuple[str, ResultBody]:
    """A batch that has ended."""
    order = GenerateImages(brief="a red mug", platform="pocket", requirements=Requirements(quantity=quantity))
    plan = await client.request(order, client_id)
    assert isinstance(plan, GenerationPlan)
    assert plan.hash is not None
    result = await client.request(Result(hash=plan.hash, wait_s=20), client_id, timeout=25)
    assert isinstance(result, GenerationResult)
    return plan.hash, result.generation_result


async def test_the_costs_of_a_client_are_those_of_its_pictures_and_nobody_elses(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home", gpu_price_per_hour=100_000.0)
    async with asyncio.timeout(50), served(settings, login) as client, Operator.open(login("operator")) as operator:
        batch, result = await made(client, "acme", 3)
        await made(client, "rival", 1)
        report = await client.request(Costs(by="batch"), "acme")
        assert isinstance(report, CostReport)
        (group,) = report.costs.groups
        assert (group.name, group.charges) == (batch, report.costs.total)
        assert (group.charges.attempts, group.charges.completed) == (3, 3)
        amounts = [image.cost.amount for image in result.images if image.cost is not None]
        assert len(amounts) == 3
        assert group.charges.cost == pytest.approx(sum(amounts)) != 0
        assert await operator.request(ShowCosts(client_id="acme", by="batch")) == report


@pytest.mark.parametrize(
    ("command", "code", "path"),
    [
        (b'{"cmd":"COSTS","hash":"gen_of_nobody"}', "unknown_batch", "$.hash"),
        (b'{"cmd":"COSTS","since":"2026-11-01T00:00:00"}', "invalid_value", "$.since"),
        (b'{"cmd":"COSTS","by":"month"}', "invalid_value", "$.by"),
        (b'{"cmd":"COSTS","count":201}', "invalid_value", "$.count"),
        (b'{"cmd":"COSTS","since":"2026-11-02T00:00:00Z","until":"2026-11-01T00:00:00Z"}', "invalid_value", "$.until"),
        (b'{"cmd":"COSTS","client_id":"rival"}', "client_mismatch", "$.client_id"),
    ],
)
async def test_costs_that_cannot_be_told_are_refused_with_their_place(
    tmp_path: Path, login: Login, command: bytes, code: str, path: str
) -> None:
    async with asyncio.timeout(50), served(instant_settings(tmp_path / "home"), login, ("planner",)) as client:
        reply = await client.request(command, "acme")
        assert isinstance(reply, ErrorReply)
        assert (reply.error.code, reply.error.path) == (code, path)


async def test_the_operator_hears_of_no_costs_of_a_client_that_is_not_there(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home")
    async with (
        asyncio.timeout(50),
        served(settings, login, ("planner",)),
        Operator.open(login("operator")) as operator,
    ):
        reply = await operator.request(ShowCosts(client_id="nobody"))
        assert isinstance(reply, ErrorReply)
        assert reply.error.code == "unknown_client"
