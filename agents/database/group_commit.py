"""Grouped commits: concurrent writers share one transaction, so that one fsync serves many of them.

Each write runs in a savepoint of its own; one that raises undoes itself only. A write's caller goes on after the
commit that holds it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine

from bus.failpoint import reached

T = TypeVar("T")

MAX_GROUP = 256
"""Writes in one transaction: bounds how long the first of them waits for the last."""

Write = Callable[[Connection], Any]
_Entry = tuple[Write, "asyncio.Future[Any]", asyncio.AbstractEventLoop]


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
        """Run `work` in the writing thread; returns its result once it is committed.

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
            with self._engine.connect() as connection:
                _commit(connection, group)

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


def _commit(connection: Connection, group: list[_Entry]) -> None:
    outcomes: list[tuple[_Entry, Any, BaseException | None]] = []
    try:
        with connection.begin():
            for entry in group:
                try:
                    with connection.begin_nested():
                        value = entry[0](connection)
                    outcomes.append((entry, value, None))
                except Exception as error:  # it belongs to the caller of this write alone, if the rest still stands
                    if not _stands(connection):
                        raise
                    outcomes.append((entry, None, error))
            reached("sql.uncommitted")
        reached("sql.committed")
    except Exception as error:  # noqa: BLE001 - the commit failed: every caller must know
        connection.invalidate()  # its savepoints are gone, or its state unknown
        outcomes = [(entry, None, error) for entry in group]
    for (_, future, loop), value, failure in outcomes:
        loop.call_soon_threadsafe(_resolve, future, value, failure)


def _stands(connection: Connection) -> bool:
    """Whether the transaction is still open. SQLite rolls all of it back by itself where the disk is full or fails."""
    return bool(getattr(connection.connection.dbapi_connection, "in_transaction", True))


def _resolve(future: "asyncio.Future[Any]", value: object, failure: BaseException | None) -> None:
    if future.cancelled():
        return
    if failure is None:
        future.set_result(value)
    else:
        future.set_exception(failure)
