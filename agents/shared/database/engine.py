"""Engines: SQLite embedded (WAL, `synchronous=FULL`) or PostgreSQL by URL, and their migrations.

On both, a transaction that writes keeps other writers out from its first statement on, so that what it read still
holds when it writes; a reader sees one state throughout and waits for nobody.
"""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from protocol.errors import DiskFull, Refused

MAX_BUSY_S = 5.0
"""Longest wait for another writer before a transaction fails as busy."""

MAX_STATEMENT_S = 60
"""Longest statement on PostgreSQL: a lost client or a bad plan must not hold the writers' lock for ever."""

WRITERS_LOCK = 0x616370
"""Key of the advisory lock that PostgreSQL's writers take in turn."""

_BUSY_STATES = {"40001", "40P01", "55P03"}
"""PostgreSQL's serialization_failure, deadlock_detected, lock_not_available."""

_DISK_FULL_STATE = "53100"
"""PostgreSQL's disk_full."""

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}

_ALEMBIC_LOCK = threading.Lock()
"""Alembic keeps the running migration in module globals: one at a time in a process."""


class DamagedDatabase(Refused):
    """A file that is no whole SQLite database. It is left as it is."""

    def __init__(self, url: URL) -> None:
        super().__init__(
            "wrong_state",
            f"{url.database} is damaged, or is no database",
            hint="stop the workshop, move that file and those beside it that end in -wal and -shm away, then: "
            "bottega restore BACKUP",
        )


def open_engine(url: str, *, busy_s: float = MAX_BUSY_S) -> Engine:
    """An engine of a SQLAlchemy URL, such as `sqlite:///ledger.db` or `postgresql://user@host/name`. Whatever finds no
    room on its disk raises `DiskFull`, and whatever finds no whole database in a file `DamagedDatabase`."""
    parsed = make_url(url)
    engine = (
        _sqlite_engine(parsed, busy_s) if parsed.get_backend_name() == "sqlite" else _postgresql_engine(parsed, busy_s)
    )

    @event.listens_for(engine, "handle_error")
    def _explain(context: ExceptionContext) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        if _is_full(context.original_exception):
            raise DiskFull from context.original_exception
        if _is_damaged(context.original_exception):
            raise DamagedDatabase(parsed) from context.original_exception

    return engine


def is_busy(error: BaseException) -> bool:
    """Whether a transaction failed only because another one was in its way, so that the same transaction may succeed if
    it is run again."""
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return error.orig.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(error.orig, "sqlstate", None) in _BUSY_STATES


def _is_full(error: BaseException) -> bool:
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    return getattr(error, "sqlstate", None) == _DISK_FULL_STATE


def _is_damaged(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def migrate(engine: Engine, scripts: Path, revision: str = "head") -> None:
    """Bring the database to a revision of the Alembic folder `scripts`, the newest where none is named.

    Ledger and catalogue may share a PostgreSQL database: each remembers its revision in a table of its own.
    """
    config = alembic_config(scripts)
    with _ALEMBIC_LOCK, engine.connect() as connection, _references_unchecked(connection), connection.begin():
        config.attributes["connection"] = connection
        config.attributes["version_table"] = version_table(engine, scripts)
        command.upgrade(config, revision)


@contextmanager
def _references_unchecked(connection: Connection) -> Generator[None]:
    """Where SQLite cannot change a table, Alembic drops it and makes it anew: rows that refer to it must outlast that.
    The switch has an effect outside of transactions only."""
    if connection.dialect.name != "sqlite":
        yield
        return
    connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        connection.connection.cursor().execute("PRAGMA foreign_keys=ON")


def alembic_config(scripts: Path) -> Config:
    """Alembic's view of a folder of revisions."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    return config


def version_table(engine: Engine, scripts: Path) -> str:
    """The table in which a database remembers its revision of an Alembic folder."""
    return "alembic_version" if engine.dialect.name == "sqlite" else f"{scripts.parent.name}_revision"


def _sqlite_engine(url: URL, busy_s: float) -> Engine:
    """SQLite's driver would begin a transaction by itself, late and not before savepoints, so its own handling is
    switched off and `BEGIN IMMEDIATE` sent instead."""
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": busy_s, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: Any) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        connection.exec_driver_sql("BEGIN" if _is_read_only(connection) else "BEGIN IMMEDIATE")

    return engine


def _postgresql_engine(url: URL, busy_s: float) -> Engine:
    """Writers take an advisory lock in turn, as SQLite's do, under READ COMMITTED: what they see is what the writer
    before them left. Its snapshot would otherwise be taken while they still wait."""
    bounds = (
        f"-c lock_timeout={round(busy_s * 1000)} -c statement_timeout={MAX_STATEMENT_S * 1000} "
        f"-c idle_in_transaction_session_timeout={MAX_STATEMENT_S * 1000}"
    )
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} {bounds}"
    engine = create_engine(
        url.set(drivername="postgresql+psycopg").difference_update_query(["options"]),
        connect_args={"options": options.strip()},
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        if _is_read_only(connection):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")

    return engine


def _is_read_only(connection: Connection) -> bool:
    return connection.get_execution_options().get("read_only", False)
