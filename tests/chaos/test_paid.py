"""Money under chaos: what a provider charged is what the ledger knows, and no budget is passed."""

import asyncio
import sqlite3
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from bus.client import Client
from protocol.messages import Role
from protocol.plans import GenerationPlan
from tests.chaos.campaign import ALONE, BRISK, Outcome, armed, campaign
from tests.chaos.customers import command_of
from tests.chaos.money import check_money
from tests.chaos.provider import PRICE_MICROS, provider
from tests.chaos.schedule import PAID, Order, arms, orders
from tests.chaos.workshop import Workshop, customer, workshop

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(400)]

PAYING: Mapping[Role, tuple[str, ...]] = {"generator": ("--paid",)}
MEMBERS = [f"{role}-0" for role in ALONE]
ONE_ATTEMPT = {**BRISK, "BOTTEGA_MAX_ATTEMPTS": "1"}
"""Then the highest cost of a picture is its price."""

RACERS = 10
ADMITTED = 5


async def paid_campaign(home: Path, options: Mapping[Role, tuple[str, ...]], arm: dict[str, deque[str]]) -> Outcome:
    async with provider() as studio:
        return await campaign(
            home,
            7,
            armed(120),
            crew=ALONE,
            settings={**BRISK, "CHAOS_PROVIDER": str(studio.port)},
            options=options,
            arm=arm,
            placed=[order for order in orders(7, 20) if order.cancel_after is None][:8],
            journal=studio.calls,
        )


async def test_every_charge_is_in_the_ledger_whatever_the_generator_dies_of(tmp_path: Path) -> None:
    outcome = await paid_campaign(tmp_path, PAYING, arms(7, 1, MEMBERS, PAID))

    assert outcome.problems == []
    assert set(outcome.failpoints) == {f"{role} {point}=kill" for role, point, _ in PAID.values()}
    assert outcome.counts["charges"] > 20


async def test_a_call_that_is_not_written_down_is_noticed(tmp_path: Path) -> None:
    outcome = await paid_campaign(tmp_path, {**PAYING, "planner": ("--mutant", "no-intent")}, {})

    assert "I5" in {problem.split(":")[0] for problem in outcome.problems}


async def race(shop: Workshop, client: Client, number: int) -> Counter[str]:
    """Ten commands of a client at once, who has money for five; says how many were accepted and how many refused."""
    racer = f"racer{number}"
    racing = [Order(racer, f"race-{number}-{one}", quantity=1, seed=number * 100 + one) for one in range(RACERS)]

    async def plan(order: Order) -> str:
        reply = await client.request(command_of(order), racer, timeout=30)
        assert isinstance(reply, GenerationPlan)
        return reply.generation_plan.state

    with closing(sqlite3.connect(shop.home / "ledger.db", timeout=30)) as ledger, ledger:
        ledger.execute(
            "INSERT INTO clients (client_id, state, limit_micros, held_micros, spent_micros, weight, created_at,"
            " updated_at) VALUES (?, 'active', ?, 0, 0, 1, 0, 0)",
            (racer, ADMITTED * PRICE_MICROS),
        )
    return Counter(await asyncio.gather(*(plan(order) for order in racing)))


@pytest.mark.parametrize(("mutant", "kept"), [((), True), (("--mutant", "no-reservation"), False)])
async def test_ten_commands_at_once_on_money_for_five(tmp_path: Path, mutant: tuple[str, ...], kept: bool) -> None:
    async with provider() as studio:
        settings = {**ONE_ATTEMPT, "CHAOS_PROVIDER": str(studio.port)}
        options: dict[Role, tuple[str, ...]] = {**PAYING, **({"planner": mutant} if mutant else {})}
        async with workshop(tmp_path, settings, crew=ALONE, options=options) as shop, customer(shop) as client:
            states = [await race(shop, client, number) for number in range(3)]
            await shop.quiet()
        problems = check_money(tmp_path, studio.calls)

    assert all(state["accepted"] == ADMITTED for state in states) == kept
    assert ("I4" in {problem.split(":")[0] for problem in problems}) != kept
