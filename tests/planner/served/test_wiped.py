"""The broker forgets everything, again and again, in mid-batch: SQL knows it all, and nothing is lost."""

import asyncio
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from bus import topology
from bus.connection import Address, connect
from bus.server import EmbeddedServer
from protocol.commands import GenerateImages, Requirements
from protocol.plans import GenerationPlan
from tests.workshop import instant_settings, served

QUANTITY = 24
WIPED_AT = (3, 10, 17)
"""Finished pictures at which the store is wiped."""


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_every_picture_is_filed_once_though_the_store_is_wiped_several_times_during_the_batch(
    tmp_path: Path, workshop_server: EmbeddedServer, login: Callable[[str], Address]
) -> None:
    settings = instant_settings(tmp_path / "home")
    keeper = await connect(login("admin"), name="tests", wait_s=5)
    keeping = asyncio.create_task(topology.maintain_topology(keeper))
    async with served(settings, login) as client:
        order = GenerateImages(brief="a mug", platform="pocket", requirements=Requirements(quantity=QUANTITY))
        plan = await client.request(order)
        assert isinstance(plan, GenerationPlan)
        assert plan.hash is not None
        ahead = list(WIPED_AT)
        async for status in client.watch_status("local", plan.hash):
            done = status.generation_status.completed
            if ahead and done >= ahead[0]:
                ahead.pop(0)
                await wipe(workshop_server)
            if done == QUANTITY:
                break
        assert not ahead
    keeping.cancel()
    await keeper.close()
    with sqlite3.connect(settings.home / "catalogue.db") as catalogue:
        filed = catalogue.execute('SELECT "index" FROM images ORDER BY "index"').fetchall()
    assert filed == [(index,) for index in range(QUANTITY)]
    with sqlite3.connect(settings.home / "ledger.db") as ledger:
        assert ledger.execute("SELECT DISTINCT state FROM jobs").fetchall() == [("completed",)]


async def wipe(server: EmbeddedServer) -> None:
    """Kill the server and empty its store; it comes back with nothing."""
    os.kill(server.pid, signal.SIGKILL)
    await server.wait()
    shutil.rmtree(server.store_folder)
    await server.start()
