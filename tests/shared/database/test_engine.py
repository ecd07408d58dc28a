"""Engines: what holds for SQLite and PostgreSQL alike, because the agents rely on it."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import IntegrityError, OperationalError

from agents import planner
from agents.shared.database.engine import is_busy, migrate, open_engine
from agents.shared.database.group_commit import GroupCommit
from agents.storage.catalogue import MIGRATIONS as CATALOGUE
from tests.shared.database.server import fresh_schema

account = sa.Table(
    "account", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("held", sa.Integer)
)

BUSY_S = 0.1


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = open_engine(database, busy_s=BUSY_S)
    with engine.begin() as connection:
        account.metadata.create_all(connection)
        connection.execute(sa.insert(account).values(id=1, held=0))
    yield engine
    engine.dispose()


def held(connection: Connection) -> int:
    return connection.execute(sa.select(account.c.held)).scalar_one()


def add_what_was_read(connection: Connection) -> None:
    """Reads first and writes what follows from it: wrong wherever another writer comes between."""
    connection.execute(sa.update(account).values(held=held(connection) + 1))


async def test_writers_of_several_processes_lose_no_update_although_each_reads_before_it_writes(
    engine: Engine, database: str
) -> None:
    others = [open_engine(database) for _ in range(4)]
    ledgers = [GroupCommit(other) for other in others]
    for ledger in ledgers:
        await ledger.__aenter__()
    await asyncio.gather(*(ledger.write(add_what_was_read) for ledger in ledgers for _ in range(10)))
    assert await ledgers[0].read(held) == 40
    for ledger, other in zip(ledgers, others, strict=True):
        await ledger.__aexit__(None, None, None)
        other.dispose()


async def test_a_reader_waits_for_no_writer_and_sees_one_state_throughout(engine: Engine) -> None:
    with engine.connect().execution_options(read_only=True) as reader, reader.begin():
        assert held(reader) == 0
        with engine.begin() as writer:
            add_what_was_read(writer)
            assert held(reader) == 0
        assert held(reader) == 0
    with engine.connect().execution_options(read_only=True) as reader, reader.begin():
        assert held(reader) == 1


def test_a_writer_that_waits_too_long_for_another_is_told_that_the_database_is_busy(engine: Engine) -> None:
    with engine.begin() as first:
        add_what_was_read(first)
        with pytest.raises(OperationalError) as caught, engine.begin():
            pass
        assert is_busy(caught.value)


async def test_a_grouped_write_that_finds_the_database_busy_is_tried_again(engine: Engine) -> None:
    tried, failed = threading.Event(), threading.Event()

    @event.listens_for(engine, "handle_error")
    def _failed(_: ExceptionContext) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        if tried.is_set():
            failed.set()

    async with GroupCommit(engine) as ledger:
        with engine.begin() as other:
            add_what_was_read(other)
            tried.set()
            waiting = asyncio.ensure_future(ledger.write(add_what_was_read))
            assert await asyncio.to_thread(failed.wait, 10)
        await waiting
        assert await ledger.read(held) == 2


def test_only_busy_databases_count_as_busy(engine: Engine) -> None:
    with pytest.raises(IntegrityError) as caught, engine.begin() as connection:
        connection.execute(sa.insert(account).values(id=1, held=0))
    assert not is_busy(caught.value)
    assert not is_busy(ValueError())


def test_ledger_and_catalogue_may_share_a_database_of_postgresql(postgresql: str) -> None:
    engine = open_engine(fresh_schema(postgresql))
    ledger = Path(planner.__file__).parent / "migrations"
    for scripts in (ledger, CATALOGUE, ledger, CATALOGUE):
        migrate(engine, scripts)
    assert {"batches", "images"} <= set(sa.inspect(engine).get_table_names())
    engine.dispose()
