"""Engines: SQLite embedded (WAL, `synchronous=FULL`) or PostgreSQL by URL, and their migrations."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url

_ALEMBIC = threading.Lock()
"""Alembic keeps the running migration in module globals: one at a time in a process."""


def open_engine(url: str) -> Engine:
    """An engine whose transactions begin for writing.

    SQLite's driver would begin a transaction by itself, late and not before savepoints, so its own handling is
    switched off and `BEGIN IMMEDIATE` sent instead: writers queue at their first statement and never deadlock.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed)
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _: Any) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:  # pyright: ignore[reportUnusedFunction] - a listener
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def migrate(engine: Engine, scripts: Path) -> None:
    """Bring the database to the newest revision of the Alembic folder `scripts`."""
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    with _ALEMBIC, engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
