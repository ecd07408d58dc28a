"""Plans that nobody keeps, and budgets that no known price can keep, over a real broker."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bus.client import Client
from bus.connection import Address
from bus.operator import Operator
from protocol.accounts import ClientReply
from protocol.commands import GenerateImages, List, Result, Upgrade
from protocol.operator import LimitClient
from protocol.parameters import Budget, Catalogue, Combos, Limit, Requirements, Sweep
from protocol.plans import GenerationPlan, PlanBody
from protocol.replies import ErrorReply
from protocol.results import BatchList
from tests.planner.catalogues import write_home
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]

PRICE_PER_HOUR = 0.36
"""Dollars: 120 seconds are 1.2 cents."""


@pytest.fixture
async def client(tmp_path: Path, login: Login) -> AsyncGenerator[Client]:
    write_home(tmp_path / "home")
    settings = instant_settings(tmp_path / "home", gpu_price_per_hour=PRICE_PER_HOUR)
    async with asyncio.timeout(50), served(settings, login) as client:
        yield client


def mugs(quantity: int = 6, **fields: Any) -> GenerateImages:
    command = GenerateImages(brief="a red mug", platform="pocket", requirements=Requirements(quantity=quantity))
    return replace(command, **fields)


async def planned(client: Client, command: GenerateImages | Upgrade) -> tuple[PlanBody, str | None]:
    reply = await client.request(command)
    assert isinstance(reply, GenerationPlan), reply
    return reply.generation_plan, reply.hash


async def batches_of(client: Client) -> int:
    reply = await client.request(List())
    assert isinstance(reply, BatchList)
    return len(reply.batch_list.batches)


async def test_a_dry_run_is_a_whole_plan_and_leaves_no_trace_in_the_ledger(client: Client, tmp_path: Path) -> None:
    body, batch = await planned(
        client, mugs(dry_run=True, hold=True, command_id="order_1", respond_format="GENERATION_RESULT")
    )

    assert (body.state, batch, body.approval) == ("planned", None, None)
    assert (body.quantity, body.platform) == (6, "pocket")
    assert len(body.prompts) == 6
    assert all("red mug" in prompt for prompt in body.prompts)
    assert (body.estimated_cost, body.unknown_cost) == (None, "not_measured")
    assert body.reserved_cost
    assert body.reserved_cost.amount == pytest.approx(6 * 3 * 0.012)
    with sqlite3.connect(tmp_path / "home" / "ledger.db") as ledger:
        for table in ("batches", "commands", "clients", "reservations", "outbox", "audit", "prompt_pages"):
            assert ledger.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_the_real_command_follows_its_dry_run_under_the_same_id_and_is_what_a_later_one_finds(
    client: Client,
) -> None:
    order = mugs(2, command_id="order_1")
    await planned(client, replace(order, dry_run=True))
    begun, batch = await planned(client, order)
    assert begun.state == "accepted"
    again, found = await planned(client, replace(order, dry_run=True))
    assert (again.state, found) == ("accepted", batch)
    assert await batches_of(client) == 1
    other = await client.request(replace(order, brief="a teal mug", dry_run=True))
    assert isinstance(other, ErrorReply)
    assert other.error.code == "command_conflict"


async def test_two_plans_of_six_mugs_do_not_keep_a_third_order_out_and_one_beyond_the_limit_is_refused_as_it_would_be(
    client: Client, login: Login
) -> None:
    async with Operator.open(login("operator")) as operator:
        begun, _ = await planned(client, mugs(1))
        assert begun.state == "accepted"
        limit = Limit(amount=6 * 3 * 0.012 + 0.04)
        assert isinstance(await operator.request(LimitClient(client_id="local", limit=limit)), ClientReply)
        for _ in range(2):
            assert (await planned(client, mugs(dry_run=True)))[0].state == "planned"
        refused, _ = await planned(client, mugs(20, dry_run=True))
        assert refused.refusal
        assert refused.refusal.code == "exceeds_budget"
        assert "a hold of 20 pictures" in (refused.refusal.hint or "")
        assert (await planned(client, mugs(6)))[0].state == "accepted"


async def test_a_dry_run_lists_the_pictures_of_a_sweep_or_a_catalogue_page_by_page(client: Client) -> None:
    swept = mugs(1, sweep=Sweep(values={"steps": list(range(1, 151)), "seed": list(range(10))}), dry_run=True)
    first, _ = await planned(client, swept)
    rest, _ = await planned(client, replace(swept, dry_run_first=1000))
    assert first.images
    assert rest.images
    assert ([image.index for image in first.images + rest.images], first.next) == (list(range(1500)), 1000)
    assert not rest.next
    assert len({tuple(image.swept.items()) for image in first.images + rest.images}) == 1500
    orange = GenerateImages(
        platform="pocket",
        catalogue=Catalogue(names=["catalog_v3.2"]),
        combos=Combos(wardrobe="zip-hoodie", ui_style="Orange"),
        dry_run=True,
    )
    body, _ = await planned(client, orange)
    assert body.images
    assert {image.catalogued.combo for image in body.images if image.catalogued} == {"C-U-009", "C-U-010"}
    plain, _ = await planned(client, mugs(dry_run=True))
    assert not plain.images
    wrong = await client.request(mugs(dry_run_first=3))
    assert isinstance(wrong, ErrorReply)
    assert wrong.error.path == "$.dry_run_first"


async def test_where_no_price_is_set_a_budget_is_refused_unless_it_allows_that(tmp_path: Path, login: Login) -> None:
    settings = instant_settings(tmp_path / "home")
    async with asyncio.timeout(50), served(settings, login) as client:
        for order in (mugs(1, budget=Budget(amount=0.1)), mugs(1, budget=Budget(amount=0.1), dry_run=True)):
            body, batch = await planned(client, order)
            assert (body.state, batch) == ("refused", None)
            assert body.refusal
            assert (body.refusal.code, body.refusal.path) == ("unpriced", "$.budget")
            assert "BOTTEGA_GPU_PRICE_PER_HOUR" in (body.refusal.hint or "")
        assert await batches_of(client) == 0
        allowed, _ = await planned(client, mugs(1, budget=Budget(amount=0.1, unpriced="allow")))
        assert (allowed.state, allowed.unknown_cost) == ("accepted", "no_price")
        assert not allowed.reserved_cost


async def test_what_was_measured_before_a_restart_is_what_plans_expect_and_hold_after_it(
    tmp_path: Path, login: Login
) -> None:
    settings = instant_settings(tmp_path / "home", gpu_price_per_hour=1_000_000.0)
    async with asyncio.timeout(50), served(settings, login) as client:
        before, batch = await planned(client, mugs(2))
        assert (before.estimated_seconds, before.unknown_cost) == (None, "not_measured")
        assert batch
        await client.request(Result(hash=batch, wait_s=20), timeout=25)
    async with asyncio.timeout(50), served(settings, login, ("planner", "generator")) as client:
        after, _ = await planned(client, mugs(2, steps=40, dry_run=True))
        assert after.estimated_seconds is not None
        assert after.estimated_cost
        assert after.reserved_cost
        assert after.reserved_cost.amount == pytest.approx(2 * 3 * after.estimated_cost.amount, rel=1e-3)
        assert before.reserved_cost
        assert after.reserved_cost.amount < before.reserved_cost.amount
