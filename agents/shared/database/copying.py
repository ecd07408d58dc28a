"""Whole databases, row by row into SQLite files and back, the same way for SQLite and PostgreSQL, and from one to the
other. The rows that are read are one state, although others write meanwhile; a copy is written whole or not at all."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from agents.shared.database.engine import alembic_config, migrate, open_engine, version_table
from agents.shared.database.foreign_file import UnusableFile, read_pages

PAGE_SIZE = 1000
"""Rows in memory at once."""


@dataclass(frozen=True)
class Database:
    """What an agent keeps: the name that people know, where it is, and its tables as the newest of its Alembic
    revisions in `scripts` makes them."""

    name: str
    url: str
    tables: sa.MetaData
    scripts: Path

    @property
    def newest_revision(self) -> str:
        """The revision that this version of the program works with."""
        head = _script_directory(self.scripts).get_current_head()
        assert head is not None
        return head

    def can_migrate_from(self, revision: str) -> bool:
        """Whether this version of the program can come from that revision to its own."""
        return any(script.revision == revision for script in _script_directory(self.scripts).walk_revisions())


class OtherRevision(Exception):
    """A database is not at the revision that this version works with; null where it holds nothing."""

    def __init__(self, database: Database, found: str | None) -> None:
        super().__init__(
            f"the {database.name} is at revision {found}, this version works with {database.newest_revision}"
        )
        self.database, self.found = database, found


@contextmanager
def open_snapshots(databases: Sequence[Database]) -> Generator[list[Connection]]:
    """A connection to each, on which it stays as it is now while others write. The first is taken first, the others
    milliseconds later.

    Raises:
        OtherRevision: one of them must be migrated first, or holds nothing.
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_open_snapshot(database)) for database in databases]


def copy_out(source: Connection, database: Database, file: Path) -> dict[str, int]:
    """Write all rows into a new SQLite file, which is closed and stands alone after it; returns the rows by table."""
    with _open_engine(f"sqlite:///{file}") as engine:
        migrate(engine, database.scripts)
        with engine.begin() as target:
            counts = _replace_rows(source, target, database.tables)
        _close_journal(engine)
    return counts


def rebuild(file: Path, database: Database, revision: str, clean: Path) -> None:
    """Make a SQLite file of this version's revision from the rows of one of unknown origin, which is only read: its own
    constraints, defaults and indexes are left behind. The new file is closed and stands alone.

    Raises:
        UnusableFile: it does not hold what its revision says.
    """
    with _open_engine(f"sqlite:///{clean}") as engine:
        try:
            migrate(engine, database.scripts, revision)
            tables = sa.MetaData()
            tables.reflect(engine)
            skipped = version_table(engine, database.scripts)
            with engine.begin() as target:
                for table in tables.sorted_tables:
                    if table.name != skipped:
                        names = [column.name for column in table.columns]
                        for page in read_pages(file, table.name, names, PAGE_SIZE):
                            target.exec_driver_sql(_insert_of(table.name, names), page)
            migrate(engine, database.scripts)
        except (SQLAlchemyError, CommandError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise UnusableFile(f"it cannot be brought to this version: {str(error)[:200]}") from error
        _close_journal(engine)


def copy_in(file: Path, database: Database) -> dict[str, int]:
    """Replace all rows of a database by those of a SQLite file, in one transaction; returns the rows by table. The file
    is brought to this version's revision first, so it must be a copy that nobody needs."""
    with _open_engine(f"sqlite:///{file}") as origin, _open_engine(database.url) as engine:
        migrate(origin, database.scripts)
        migrate(engine, database.scripts)
        with _open_reader(origin) as source, engine.begin() as target:
            return _replace_rows(source, target, database.tables)


def revision_of(database: Database) -> str | None:
    """The revision that a database is at; null where it holds nothing. Nothing is made."""
    if _is_absent(database.url):
        return None
    with _open_engine(database.url) as engine, _open_reader(engine) as connection:
        return _revision_at(connection, database)


def is_empty(database: Database) -> bool:
    """Whether a database that is there has no row, at whatever revision."""
    with _open_engine(database.url) as engine, _open_reader(engine) as connection:
        there = sa.inspect(connection).get_table_names()
        tables = [table for table in database.tables.sorted_tables if table.name in there]
        return all(connection.execute(sa.select(1).select_from(table).limit(1)).first() is None for table in tables)


@contextmanager
def _open_snapshot(database: Database) -> Generator[Connection]:
    if _is_absent(database.url):
        raise OtherRevision(database, None)
    with _open_engine(database.url) as engine, _open_reader(engine) as connection:
        if (found := _revision_at(connection, database)) != database.newest_revision:
            raise OtherRevision(database, found)
        yield connection


@contextmanager
def _open_reader(engine: Engine) -> Generator[Connection]:
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":  # one snapshot waits while another is copied
            connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield connection


@contextmanager
def _open_engine(url: str) -> Generator[Engine]:
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _insert_of(table: str, columns: Sequence[str]) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'  # noqa: S608 - our own names


def _close_journal(engine: Engine) -> None:
    with closing(engine.raw_connection()) as raw:
        raw.cursor().execute("PRAGMA journal_mode=DELETE")


def _replace_rows(source: Connection, target: Connection, tables: sa.MetaData) -> dict[str, int]:
    for table in reversed(tables.sorted_tables):
        target.execute(sa.delete(table))
    return {table.name: _copy_table(source, target, table) for table in tables.sorted_tables}


def _copy_table(source: Connection, target: Connection, table: sa.Table) -> int:
    found = source.execution_options(yield_per=PAGE_SIZE).execute(sa.select(table))
    count = 0
    for page in found.mappings().partitions():
        target.execute(sa.insert(table), [dict(row) for row in page])
        count += len(page)
    counter = table.autoincrement_column
    if counter is not None and target.dialect.name == "postgresql":
        highest = sa.select(sa.func.coalesce(sa.func.max(counter), 0) + 1).scalar_subquery()
        sequence = sa.func.pg_get_serial_sequence(table.name, counter.name)
        target.execute(sa.select(sa.func.setval(sequence, highest, False)))
    return count


def _revision_at(connection: Connection, database: Database) -> str | None:
    options = {"version_table": version_table(connection.engine, database.scripts)}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _script_directory(scripts: Path) -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config(scripts))


def _is_absent(url: str) -> bool:
    """Whether the file of a SQLite URL is not there: looking into it would make it."""
    parsed = sa.make_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file()
