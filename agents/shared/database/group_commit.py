"""Grouped commits: concurrent writers share one transaction, so that one fsync serves many of them.

Each write runs in a savepoint of its own; one that raises undoes itself only. A write's caller goes on after the
commit that holds it. A transaction that meets another process's lock is run again as a whole.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from agents.shared.database.engine import is_busy
from bus.failpoint import pass_failpoint
from protocol.errors import DiskFull

T = TypeVar("T")
R = TypeVar("R")

MAX_GROUP = 256
"""Writes in one transaction: bounds how long the first of them waits for the last."""

BUSY_PAUSES_S = (0.05, 0.2)
"""Pauses before a transaction that met another one is tried again; each try also waits for the lock."""

GroupWork = Callable[[Connection, Sequence[Any]], Sequence[Any]]
"""Runs on items that came together; returns for each its result, or the exception that its caller gets."""


@dataclass
class _PendingWrite:
    """One write: an item of a kind of work, and where its caller waits."""

    work: GroupWork
    item: Any
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


_WriteOutcome = tuple[_PendingWrite, Any, BaseException | None]


class GroupCommit:
    """A writing thread and a reading thread over one engine.

    Writes are committed in the order of the calls of `write`, and their callers resume in that order.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writes: queue.SimpleQueue[_PendingWrite | None] = queue.SimpleQueue()
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
        return await self.write_each(lambda connection, _: [work(connection)], None)

    async def write_each(self, work: Callable[[Connection, Sequence[T]], Sequence[R | Exception]], item: T) -> R:
        """As `write`, of one item; items of the same `work` that come together are given to it at once, in their
        order. It returns for each its result, or the exception that its caller gets; nothing is undone for those.

        Raises:
            What `work` returned for the item, or raised where the item was alone, or the failure of the commit.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._writes.put(_PendingWrite(work, item, future, loop))
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

    def _next_group(self) -> list[_PendingWrite]:
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


def _commit(engine: Engine, group: list[_PendingWrite]) -> None:
    """Commit the writes of a group and tell each caller."""
    try:
        outcomes = _persist(engine, group)
    except Exception as error:  # noqa: BLE001 - the commit failed: every caller must know
        outcomes = [(entry, None, _cause_of(error)) for entry in group]
    for loop, told in groupby(outcomes, key=lambda outcome: outcome[0].loop):
        loop.call_soon_threadsafe(_resolve, list(told))


def _cause_of(error: Exception) -> Exception:
    """SQLite ends the transaction where its disk is full, so that leaving the savepoint fails as well."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, DiskFull):
        found = found.__context__
    return found or error


def _persist(engine: Engine, group: list[_PendingWrite]) -> list[_WriteOutcome]:
    for pause in BUSY_PAUSES_S:
        try:
            return _run_transaction(engine, group)
        except DBAPIError as error:
            if not is_busy(error):
                raise
            time.sleep(pause)
    return _run_transaction(engine, group)


def _run_transaction(engine: Engine, group: list[_PendingWrite]) -> list[_WriteOutcome]:
    """Run the writes in one transaction.

    Raises:
        Exception: nothing of the group was committed, or the database did not say that it was.
    """
    with engine.connect() as connection:
        try:
            with connection.begin():
                outcomes = _run_writes(connection, group)
                pass_failpoint("sql.uncommitted")
            pass_failpoint("sql.committed")
        except Exception:
            connection.invalidate()  # its savepoints are gone, or its state unknown
            raise
        return outcomes


def _run_writes(connection: Connection, group: list[_PendingWrite]) -> list[_WriteOutcome]:
    """Run the writes of a group, those of the same work that follow one another at once."""
    together = [list(entries) for _, entries in groupby(group, key=lambda entry: entry.work)]
    return [outcome for entries in together for outcome in _run_same_work(connection, entries)]


def _run_same_work(connection: Connection, entries: list[_PendingWrite]) -> list[_WriteOutcome]:
    try:
        with connection.begin_nested():
            results = entries[0].work(connection, [entry.item for entry in entries])
            return [
                (entry, None, result) if isinstance(result, Exception) else (entry, result, None)
                for entry, result in zip(entries, results, strict=True)
            ]
    except Exception as error:  # it belongs to the callers of these writes alone, if the rest still stands
        if is_busy(error) or not _is_open(connection):
            raise
        if len(entries) == 1:
            return [(entries[0], None, error)]
    return [outcome for entry in entries for outcome in _run_same_work(connection, [entry])]


def _is_open(connection: Connection) -> bool:
    """Whether the transaction is still open. SQLite rolls all of it back by itself where the disk is full or fails."""
    raw: object = connection.connection.dbapi_connection
    if isinstance(raw, psycopg.Connection):
        return raw.info.transaction_status == TransactionStatus.INTRANS
    return isinstance(raw, sqlite3.Connection) and raw.in_transaction


def _resolve(outcomes: list[_WriteOutcome]) -> None:
    for entry, value, failure in outcomes:
        if entry.future.cancelled():
            continue
        if failure is None:
            entry.future.set_result(value)
        else:
            entry.future.set_exception(failure)
