"""SQLite files of unknown origin: what they are made of and what their rows hold, before anything else is asked.

Only tables and plain indexes are allowed. A view, a trigger or an expression is run by whoever reads the file, and may
answer otherwise each time.
"""

import math
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

MAX_VALUE_BYTES = 16 * 1024 * 1024
"""Longest value of a row, well above the largest that is ever written."""

Row = Mapping[str, Any]
"""The values of a row by column."""


class UnusableFile(ValueError):
    """A file is no database, or is not as this program writes it. The message says what was found."""


def check_schema(file: Path) -> None:
    """See that a file is a whole database of tables and indexes alone.

    Raises:
        UnusableFile: it is not.
    """
    try:
        with closing(_open_file(file)) as connection:
            connection.execute("PRAGMA ignore_check_constraints=ON")
            for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
                _check_object(connection, str(kind), str(name), str(sql or ""))
            (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UnusableFile(str(error)[:200]) from error
    if told != "ok":
        raise UnusableFile(str(told)[:200])


def read_pages(file: Path, table: str, columns: Sequence[str], count: int) -> Iterator[list[tuple[Any, ...]]]:
    """The values of some columns of a table, `count` rows at a time.

    Raises:
        UnusableFile: it has no such table, or cannot be read.
    """
    listed = ", ".join(f'"{name}"' for name in columns)
    try:
        with closing(_open_file(file)) as connection:
            found = connection.execute(f'SELECT {listed} FROM "{table}"')  # noqa: S608 - our own names
            while page := found.fetchmany(count):
                yield page
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise UnusableFile(str(error)[:200]) from error


def check_rows(file: Path, tables: sa.MetaData, fault_of: Callable[[str, Row], str | None]) -> None:
    """See that each row has values of its columns' kinds, and nothing that `fault_of` finds in a table's row.

    Raises:
        UnusableFile: one has.
    """
    for table in tables.sorted_tables:
        names = [column.name for column in table.columns]
        for page in read_pages(file, table.name, names, 100):
            for values in page:
                row = dict(zip(names, values, strict=True))
                if fault := _fault_of_kinds(table, row) or fault_of(table.name, row):
                    raise UnusableFile(f"a row of {table.name}: {fault}")


def _open_file(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def _check_object(connection: sqlite3.Connection, kind: str, name: str, sql: str) -> None:
    if kind == "index":
        columns = connection.execute("SELECT cid FROM pragma_index_xinfo(?)", (name,)).fetchall()
        computed = any(cid == -2 for (cid,) in columns)  # -2 is an expression, -1 the row's own number
    elif kind == "table" and not sql.upper().startswith("CREATE VIRTUAL"):
        columns = connection.execute("SELECT hidden FROM pragma_table_xinfo(?)", (name,)).fetchall()
        computed = any(hidden != 0 for (hidden,) in columns)
    else:
        computed = True
    if computed:
        raise UnusableFile(f"it has a {kind} {name[:64]!r} that computes what it answers")


def _fault_of_kinds(table: sa.Table, row: Row) -> str | None:
    faults = (fault and f"{column.name} {fault}" for column in table.columns for fault in (_fault(column, row),))
    return next(filter(None, faults), None)


def _fault(column: sa.Column[Any], row: Row) -> str | None:
    value, length = row[column.name], getattr(column.type, "length", None)
    if value is None:
        return None if column.nullable else "is missing"
    if not isinstance(value, _kinds_of(column.type)):
        return f"is {type(value).__name__}"
    if isinstance(value, str) and length is not None and len(value) > length:
        return f"has {len(value)} characters"
    if isinstance(value, str) and "\0" in value:
        return "has a NUL"
    if isinstance(value, float) and not math.isfinite(value):
        return "is no number"
    if isinstance(value, int) and _is_narrow(column.type) and not -(2**31) <= value < 2**31:
        return f"is {value}"
    return None


def _kinds_of(kind: Any) -> tuple[type, ...]:
    match kind:
        case sa.LargeBinary():
            return (bytes,)
        case sa.String() | sa.JSON():
            return (str,)
        case sa.Float():
            return (float, int)
        case _:
            return (int,)


def _is_narrow(kind: Any) -> bool:
    """Whether PostgreSQL keeps 4 bytes of a number."""
    return isinstance(kind, sa.Integer) and not isinstance(kind, sa.BigInteger)
