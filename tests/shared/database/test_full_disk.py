"""A database whose disk is full: the writer hears that it may try again, and nothing is half done."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event

from agents.shared.database.engine import open_engine
from agents.shared.database.group_commit import GroupCommit
from protocol.errors import DiskFull

notes = sa.Table("notes", sa.MetaData(), sa.Column("text", sa.LargeBinary))

ROOM = 20
"""Pages of 4 KiB that the database may have."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Engine]:
    """SQLite with room for a few pages."""
    engine = open_engine(f"sqlite:///{tmp_path / 'small.db'}")

    @event.listens_for(engine, "connect")
    def _bound(connection: sqlite3.Connection, _: Any) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        connection.execute(f"PRAGMA max_page_count={ROOM}")

    with engine.begin() as connection:
        notes.metadata.create_all(connection)
    yield engine
    engine.dispose()


def add(size: int) -> sa.Insert:
    return sa.insert(notes).values(text=b"x" * size)


def count(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(notes)).scalar_one()


async def test_a_write_without_room_may_be_tried_again_and_leaves_nothing_behind(small: Engine) -> None:
    async with GroupCommit(small) as database:
        await database.write(lambda connection: connection.execute(add(1)))
        with pytest.raises(DiskFull) as caught:
            await database.write(lambda connection: [connection.execute(add(4096)) for _ in range(ROOM)])
        assert caught.value.retryable
        assert await database.read(count) == 1
        await database.write(lambda connection: connection.execute(add(1)))
        assert await database.read(count) == 2


async def test_what_postgresql_says_of_a_full_disk_is_heard_as_one(postgresql: str) -> None:
    engine = open_engine(postgresql)
    full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    async with GroupCommit(engine) as database:
        with pytest.raises(DiskFull):
            await database.write(lambda connection: connection.exec_driver_sql(full))
    engine.dispose()
