"""A workshop that is backed up in mid-batch, and what another one makes of the backup."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from agents.doors.cli.records.backup import write_backup
from agents.doors.cli.records.databases import databases
from agents.doors.cli.records.restore import restore_records
from bus import topology
from bus.client import Client
from bus.connection import Address, connect
from bus.consumers import answer_consumers
from bus.server import EmbeddedServer
from protocol.commands import GenerateImages, Requirements
from protocol.plans import GenerationPlan
from tests.workshop import instant_settings, served

QUANTITY = 60


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def pictures_of(home: Path) -> list[Path]:
    return sorted(path for path in (home / "pictures").rglob("*.png") if path.name != "contact_sheet.png")


@pytest.mark.slow
async def test_a_batch_that_was_backed_up_halfway_is_finished_elsewhere_with_each_picture_once(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    before, after = instant_settings(tmp_path / "before"), instant_settings(tmp_path / "after")
    order = GenerateImages(brief="a mug", platform="pocket", requirements=Requirements(quantity=QUANTITY))
    async with served(before, login) as client:
        plan = await client.request(order)
        assert isinstance(plan, GenerationPlan)
        assert plan.hash is not None
        await until(client, plan.hash, QUANTITY // 4)
        manifest = await asyncio.to_thread(write_backup, tmp_path / "backup", databases(before))
        await until(client, plan.hash, QUANTITY)
    assert manifest.databases["catalogue"].rows["images"] < QUANTITY
    shutil.copytree(before.pictures, after.pictures)
    restore_records(tmp_path / "backup", after, force=False)
    ledger, catalogue = after.home / "ledger.db", after.home / "catalogue.db"
    done = rows(ledger, "SELECT \"index\" FROM jobs WHERE state = 'completed'")
    assert set(done) <= set(rows(catalogue, 'SELECT "index" FROM images'))
    async with another_server(tmp_path / "nats2") as other, served(after, other) as client:
        await until(client, plan.hash, QUANTITY)
    found = rows(catalogue, 'SELECT "index", path FROM images ORDER BY "index"')
    assert [index for index, _ in found] == list(range(QUANTITY))
    assert set(pictures_of(after.home)) >= {after.pictures / str(path) for _, path in found}
    assert rows(ledger, "SELECT state, count(*) FROM jobs GROUP BY state") == [("completed", QUANTITY)]


async def until(client: Client, batch: str, completed: int) -> None:
    async with asyncio.timeout(40):
        async for status in client.watch_status("local", batch):
            if status.generation_status.completed >= completed:
                return


@asynccontextmanager
async def another_server(folder: Path) -> AsyncGenerator[Callable[[str], Address]]:
    async with EmbeddedServer(folder) as server:
        admin = await connect(server.address("admin"), name="tests", wait_s=5)
        await topology.apply_topology(admin)
        await answer_consumers(admin)
        yield server.address
        await admin.close()
