"""Pixels are removed as soon as they may be, while a whole workshop makes pictures."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agents.planner.ledger.retention_loop import RetentionLoop
from agents.shared.database.engine import open_engine
from agents.shared.database.group_commit import GroupCommit
from bus.connection import Address
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages, Requirements
from protocol.plans import GenerationPlan
from tests.workshop import instant_settings, served

QUANTITY = 60


@pytest.mark.slow
async def test_no_picture_in_flight_misses_its_pixels_and_at_the_end_none_are_left(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    settings = instant_settings(tmp_path / "home", retain_blobs_hours=0)
    engine, blobs = open_engine(settings.ledger_url), LocalBlobs(settings.blobs)
    order = GenerateImages(brief="a mug", platform="pocket", requirements=Requirements(quantity=QUANTITY))
    halfway = 0
    async with served(settings, login) as client, GroupCommit(engine) as ledger, asyncio.timeout(50):
        upkeep = RetentionLoop(ledger, blobs, settings)
        plan = await client.request(order)
        assert isinstance(plan, GenerationPlan)
        assert plan.hash is not None
        async for status in client.watch_status("local", plan.hash):
            removed = await upkeep.run_once(time.time())
            if status.generation_status.completed == QUANTITY:
                break
            halfway += removed.blobs
        await upkeep.run_once(time.time())
    engine.dispose()
    assert halfway > 0
    assert [path for path in settings.blobs.rglob("*") if path.is_file()] == []
    with closing(sqlite3.connect(settings.home / "ledger.db")) as found:
        assert found.execute("SELECT state, attempt, count(*) FROM attempts GROUP BY 1, 2").fetchall() == [
            ("accepted", 1, QUANTITY)
        ]
