"""Grouped commits: concurrent writers share one transaction, so that one fsync serves many of them.

Each write runs in a savepoint of its own; one that raises undoes itself only. A write's caller goes on after the
commit that holds it. A transaction that meets another process's lock is run again as a whole.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from agents.database.engine import is_busy
from bus.failpoint import reached

T = TypeVar("T")

MAX_GROUP = 256
"""Writes in one transaction: bounds how long the first of them waits for the last."""

BUSY_PAUSES_S = (0.05, 0.2)
"""Pauses before a transaction that was in another one's way is tried again; each try waits for the lock as well."""

Write = Callable[[Connection], Any]
_Entry = tuple[Write, "asyncio.Future[Any]", asyncio.AbstractEventLoop]
_Outcome = tuple[_Entry, Any, BaseException | None]


class GroupCommit:
    """A writing thread and a reading thread over one engine.

    Writes are committed in the order of the calls of `write`, and their callers resume in that order.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sql-writer", daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writes.put(None)
        await asyncio.to_thread(self._thread.join)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in the writing thread; returns its result once it is committed. `work` may run more than once
        and must change nothing but the database.

        Raises:
            Whatever `work` raised, after its changes were undone, or the failure of the commit.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writes.put((work, future, loop))
        return await future

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run `work` on a connection of its own, beside the writer."""

        def run() -> T:
            with self._engine.connect().execution_options(read_only=True) as connection, connection.begin():
                return work(connection)

        return await asyncio.to_thread(run)

    def _run(self) -> None:
        while group := self._next_group():
            _commit(self._engine, group)

    def _next_group(self) -> list[_Entry]:
        first = self._writes.get()
        if first is None:
            return []
        group = [first]
        while len(group) < MAX_GROUP:
            try:
                entry = self._writes.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                self._writes.put(None)
                break
            group.append(entry)
        return group


def _commit(engine: Engine, group: list[_Entry]) -> None:
    """Commit the writes of a group and tell each caller."""
    try:
        outcomes = _persist(engine, group)
    except Exception as error:  # noqa: BLE001 - the commit failed: every caller must know
        outcomes = [(entry, None, error) for entry in group]
    for (_, future, loop), value, failure in outcomes:
        loop.call_soon_threadsafe(_resolve, future, value, failure)


def _persist(engine: Engine, group: list[_Entry]) -> list[_Outcome]:
    for pause in BUSY_PAUSES_S:
        try:
            return _attempt(engine, group)
        except DBAPIError as error:
            if not is_busy(error):
                raise
            time.sleep(pause)
    return _attempt(engine, group)


def _attempt(engine: Engine, group: list[_Entry]) -> list[_Outcome]:
    """Run the writes in one transaction.

    Raises:
        Exception: nothing of the group was committed, or the database did not say that it was.
    """
    with engine.connect() as connection:
        try:
            with connection.begin():
                outcomes = [_run_one(connection, entry) for entry in group]
                reached("sql.uncommitted")
            reached("sql.committed")
        except Exception:
            connection.invalidate()  # its savepoints are gone, or its state unknown
            raise
        return outcomes


def _run_one(connection: Connection, entry: _Entry) -> _Outcome:
    try:
        with connection.begin_nested():
            return entry, entry[0](connection), None
    except Exception as error:  # it belongs to the caller of this write alone, if the rest still stands
        if is_busy(error) or not _stands(connection):
            raise
        return entry, None, error


def _stands(connection: Connection) -> bool:
    """Whether the transaction is still open. SQLite rolls all of it back by itself where the disk is full or fails."""
    raw: object = connection.connection.dbapi_connection
    if isinstance(raw, psycopg.Connection):
        return raw.info.transaction_status == TransactionStatus.INTRANS
    return isinstance(raw, sqlite3.Connection) and raw.in_transaction


def _resolve(future: "asyncio.Future[Any]", value: object, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is None:
        future.set_result(value)
    else:
        future.set_exception(failure)
