"""Grouped commits: one fsync serves many writers, and none hears of a commit that was not one."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from agents.shared.database.engine import open_engine
from agents.shared.database.group_commit import GroupCommit

Write = Callable[[Connection], None]

notes = sa.Table("notes", sa.MetaData(), sa.Column("text", sa.String, primary_key=True))


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    engine = open_engine(database)
    with engine.begin() as connection:
        notes.metadata.create_all(connection)
    yield engine
    engine.dispose()


def add(text: str) -> Write:
    def write(connection: Connection) -> None:
        connection.execute(sa.insert(notes).values(text=text))

    return write


def kept(connection: Connection) -> list[str]:
    return sorted(connection.execute(sa.select(notes.c.text)).scalars())


def refuse(connection: Connection) -> None:
    add("half done")(connection)
    raise ValueError("refused")


def lose_the_transaction(connection: Connection) -> None:
    """What SQLite does by itself where the disk is full, and a restart of PostgreSQL to what was not committed."""
    connection.exec_driver_sql("ROLLBACK")
    raise OSError("no space left on device")


async def together(database: GroupCommit, *writes: Write) -> list[BaseException | None]:
    """Start the writes in one go, so that they share a transaction, and return results and failures."""
    return await asyncio.gather(*(database.write(write) for write in writes), return_exceptions=True)


async def test_a_write_that_raises_undoes_itself_only(engine: Engine) -> None:
    async with GroupCommit(engine) as database:
        first, second, third = await together(database, add("one"), refuse, add("two"))
        assert not isinstance(first, BaseException)
        assert isinstance(second, ValueError)
        assert not isinstance(third, BaseException)
        assert await database.read(kept) == ["one", "two"]


async def test_when_the_whole_transaction_is_lost_no_writer_hears_of_success(engine: Engine) -> None:
    """A first writer holds the thread until the others wait, so that they are surely one group."""
    loop = asyncio.get_running_loop()
    begun, go = asyncio.Event(), threading.Event()

    def hold(_: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go.wait(10)

    async with GroupCommit(engine) as database:
        first = asyncio.ensure_future(database.write(hold))
        await begun.wait()
        rest = asyncio.ensure_future(together(database, add("one"), lose_the_transaction, add("two")))
        loop.call_soon(lambda: loop.call_soon(go.set))
        await first
        assert all(isinstance(outcome, Exception) for outcome in await rest)
        assert await database.read(kept) == []
        await database.write(add("three"))
        assert await database.read(kept) == ["three"]


async def test_writes_are_committed_in_the_order_of_their_calls(engine: Engine) -> None:
    seen: list[int] = []
    async with GroupCommit(engine) as database:

        async def write(number: int) -> None:
            await database.write(add(str(number)))
            seen.append(number)

        await asyncio.gather(*(write(number) for number in range(100)))
    assert seen == list(range(100))
