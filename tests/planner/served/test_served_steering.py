"""Batches steered over a real broker, and one client's pictures beside another's million."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from bus.client import Client
from bus.connection import Address
from protocol.commands import (
    Amend,
    Cancel,
    Command,
    GenerateImages,
    Pause,
    Requirements,
    Result,
    Resume,
    Status,
    Upgrade,
)
from protocol.plans import GenerationPlan, PlanBody
from protocol.replies import ErrorReply, Reply
from protocol.results import GenerationResult, GenerationStatus, ResultBody
from tests.workshop import instant_settings, presences, served

R = TypeVar("R", bound=Reply)

MILLION = 1_000_000


WINDOW = 8
"""Pictures in flight."""


@pytest.fixture
async def client(tmp_path: Path, login: Callable[[str], Address]) -> AsyncGenerator[Client]:
    async with served(instant_settings(tmp_path / "home", window=WINDOW), login) as client:
        yield client


def order(quantity: int, **fields: object) -> GenerateImages:
    command = GenerateImages(brief="a red mug", platform="pocket", requirements=Requirements(quantity=quantity))
    return msgspec.structs.replace(command, **fields)


async def answered(client: Client, command: Command, kind: type[R], client_id: str = "local") -> R:
    reply = await client.request(command, client_id=client_id, timeout=35)
    assert isinstance(reply, kind), reply
    return reply


async def planned(client: Client, command: Command, client_id: str = "local") -> tuple[str, PlanBody]:
    reply = await answered(client, command, GenerationPlan, client_id)
    assert reply.hash is not None, reply
    return reply.hash, reply.generation_plan


async def finished(client: Client, batch: str, client_id: str = "local") -> ResultBody:
    """The result of a batch, once it has ended."""
    result = (await answered(client, Result(hash=batch, wait_s=25), GenerationResult, client_id)).generation_result
    assert result.state in ("completed", "cancelled")
    return result


async def test_a_paused_batch_stands_still_within_a_picture_and_ends_once_it_is_resumed(client: Client) -> None:
    batch, _ = await planned(client, order(40))
    paused = (await answered(client, Pause(hash=batch), GenerationStatus)).generation_status
    assert paused.state == "paused"
    other, _ = await planned(client, order(20))
    assert (await finished(client, other)).generation_status.completed == 20
    still = (await answered(client, Status(hash=batch), GenerationStatus)).generation_status
    assert still.completed <= paused.completed + WINDOW  # what generators had in hand, and what was made already
    shown = (await answered(client, Result(hash=batch), GenerationResult)).generation_result
    assert shown.state == "paused"
    assert "paused" in {image.status for image in shown.images}
    await answered(client, Resume(hash=batch), GenerationStatus)
    assert (await finished(client, batch)).generation_status.completed == 40


async def test_finished_pictures_are_made_again_once_for_a_command_id(client: Client) -> None:
    parent, _ = await planned(client, order(3, seed=42))
    before = await finished(client, parent)
    wish = Upgrade(hash=parent, resolution="4096x4096", render_quality="hd", command_id="larger-1")
    child, plan = await planned(client, wish)
    assert any(note.startswith("resolution: 4096x4096") for note in plan.not_honoured)
    assert plan.steps == 40
    assert plan.prompts == [image.metadata.prompt_used for image in before.images if image.metadata]
    assert (await planned(client, wish))[0] == child
    after = await finished(client, child)
    assert [image.metadata.seed for image in after.images if image.metadata] == [42, 43, 44]
    assert [image.parent for image in after.images] == [image.id for image in before.images]


async def test_an_upgrade_names_finished_pictures_or_waits_for_the_end(client: Client) -> None:
    batch, _ = await planned(client, order(5000))
    for wish, code in (
        (Upgrade(hash=batch, render_quality="hd"), "wrong_state"),
        (Upgrade(hash=batch, render_quality="hd", image_ids=[f"{batch}_004999"]), "wrong_state"),
        (Upgrade(hash=batch, render_quality="hd", image_ids=[f"{batch}_005000"]), "unknown_image"),
        (Upgrade(hash=batch), "missing_field"),
        (Amend(hash=batch), "missing_field"),
    ):
        assert (await answered(client, wish, ErrorReply)).error.code == code
    await answered(client, Cancel(hash=batch), GenerationStatus)


async def test_a_plan_above_the_configured_cost_is_held(tmp_path: Path, login: Callable[[str], Address]) -> None:
    settings = instant_settings(tmp_path / "home", gpu_price_per_hour=1000.0, hold_over=0.0)
    async with served(settings, login) as client:
        first, plan = await planned(client, order(2))
        if plan.state == "accepted":  # nothing was measured before the first batch
            await finished(client, first)
            await measured(login)
            _, plan = await planned(client, order(2))
        assert plan.state == "held"
        assert plan.approval
        assert any(note.startswith("held:") for note in plan.warnings)


async def measured(login: Callable[[str], Address]) -> None:
    """Wait until a generator announces what a picture takes."""
    async with asyncio.timeout(20):
        while not any(m.seconds_per_image for p in await presences(login("operator")) for m in p.models):
            await asyncio.to_thread(lambda: None)


def between(ledger: Path, batch: str, other: str) -> int:
    """Pictures of `other` that were handed out after the first and before the last one of `batch`."""
    query = """SELECT count(*) FROM jobs WHERE hash = :other AND rowid BETWEEN
        (SELECT min(rowid) FROM jobs WHERE hash = :batch) AND (SELECT max(rowid) FROM jobs WHERE hash = :batch)"""
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query, {"batch": batch, "other": other}).fetchone()[0]


async def test_ten_pictures_go_through_beside_a_million_which_are_accepted_and_cancelled_at_once(
    client: Client, tmp_path: Path
) -> None:
    async with asyncio.timeout(5):
        huge, _ = await planned(client, order(MILLION), "acme")
    quick, _ = await planned(client, order(10))
    patient, _ = await planned(client, order(10, priority="batch"), "zeta")
    for name, client_id in ((quick, "local"), (patient, "zeta")):
        assert (await finished(client, name, client_id)).generation_status.completed == 10
    async with asyncio.timeout(5):
        status = (await answered(client, Cancel(hash=huge), GenerationStatus, "acme")).generation_status
    assert status.completed > 0
    assert (status.cancelled or 0) > MILLION - 10_000
    ended = await finished(client, huge, "acme")
    assert ended.generation_status.completed + (ended.generation_status.cancelled or 0) == MILLION
    assert between(tmp_path / "home" / "ledger.db", quick, huge) <= 1
    assert between(tmp_path / "home" / "ledger.db", patient, huge) <= 10
