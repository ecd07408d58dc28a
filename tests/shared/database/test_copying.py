"""A database goes into a file and back, from either kind into either kind, while others write."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from agents.planner.agent import MIGRATIONS
from agents.planner.ledger.audit import note
from agents.planner.ledger.tables import audit, batches, jobs, metadata
from agents.shared.database.copying import (
    PAGE_SIZE,
    Database,
    OtherRevision,
    copy_in,
    copy_out,
    is_empty,
    open_snapshots,
    revision_of,
)
from agents.shared.database.engine import migrate, open_engine
from tests.shared.database.server import fresh_schema


def ledger(url: str) -> Database:
    return Database("ledger", url, metadata, MIGRATIONS)


@pytest.fixture
def filled(database: str) -> Iterator[Engine]:
    """A ledger with more rows than are read at once."""
    engine = open_engine(database)
    migrate(engine, MIGRATIONS)
    with engine.begin() as connection:
        connection.execute(sa.insert(batches).values(**BATCH))
        connection.execute(sa.insert(jobs), [JOB | {"index": index} for index in range(PAGE_SIZE + 1)])
        note(connection, "accepted", "local", 1.0, "gen_batch_1")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of another empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'elsewhere.db'}"
    return fresh_schema(request.getfixturevalue("postgresql"))


BATCH: dict[str, object] = {
    "hash": "gen_batch_1", "client_id": "local", "state": "running", "command": b"\x00{}", "recipe": b"\xff",
    "seed": 2**40, "quantity": 3, "cursor": 1, "written": 3, "tally": b"{}", "created_at": 1.5, "updated_at": 2.25,
}  # fmt: skip
JOB: dict[str, object] = {
    "hash": "gen_batch_1", "state": "running", "stage": "qa", "attempt": 1, "message": b"{}", "resends": 0,
    "updated_at": 1.0,
}  # fmt: skip


def everything(url: str) -> dict[str, list[tuple[object, ...]]]:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return found


def in_order(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).order_by(*table.primary_key.columns)


@pytest.mark.usefixtures("filled")
def test_what_was_copied_out_and_in_is_what_was_there(database: str, elsewhere: str, tmp_path: Path) -> None:
    with open_snapshots([ledger(database)]) as [source]:
        counts = copy_out(source, ledger(database), tmp_path / "copy.db")
    assert copy_in(tmp_path / "copy.db", ledger(elsewhere)) == counts
    assert (counts["batches"], counts["jobs"], counts["audit"]) == (1, PAGE_SIZE + 1, 1)
    assert everything(elsewhere) == everything(database)


@pytest.mark.usefixtures("filled")
def test_rows_that_were_there_are_gone_after_it(database: str, tmp_path: Path) -> None:
    with open_snapshots([ledger(database)]) as [source]:
        copy_out(source, ledger(database), tmp_path / "copy.db")
    before = everything(database)
    write(database, sa.delete(jobs), sa.insert(batches).values(**BATCH | {"hash": "gen_batch_2"}))
    copy_in(tmp_path / "copy.db", ledger(database))
    assert everything(database) == before


@pytest.mark.usefixtures("filled")
def test_numbered_rows_are_counted_on_from_the_highest(database: str, elsewhere: str, tmp_path: Path) -> None:
    with open_snapshots([ledger(database)]) as [source]:
        copy_out(source, ledger(database), tmp_path / "copy.db")
    copy_in(tmp_path / "copy.db", ledger(elsewhere))
    values = {"at": 2.0, "client_id": "local", "what": "paused", "detail": "{}"}
    write(elsewhere, sa.insert(audit).values(**values))
    assert [row[0] for row in everything(elsewhere)["audit"]] == [1, 2]


@pytest.mark.usefixtures("filled")
def test_what_is_written_meanwhile_is_not_in_the_copy(database: str, tmp_path: Path) -> None:
    with open_snapshots([ledger(database)]) as [source]:
        write(database, sa.insert(batches).values(**BATCH | {"hash": "gen_batch_2"}))
        copy_out(source, ledger(database), tmp_path / "copy.db")
    copied = everything(f"sqlite:///{tmp_path / 'copy.db'}")
    assert [row[0] for row in copied["batches"]] == ["gen_batch_1"]


@pytest.mark.usefixtures("filled")
def test_a_copy_is_one_file(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    with open_snapshots([ledger(database)]) as [source]:
        copy_out(source, ledger(database), folder / "copy.db")
    assert [file.name for file in folder.iterdir()] == ["copy.db"]


def test_a_database_that_was_never_made_is_told_and_not_made(tmp_path: Path) -> None:
    absent = ledger(f"sqlite:///{tmp_path / 'absent.db'}")
    assert revision_of(absent) is None
    with pytest.raises(OtherRevision) as caught, open_snapshots([absent]):
        pass
    assert caught.value.found is None
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_another_revision_is_not_copied(database: str, at_revision: Callable[[str, str], None]) -> None:
    at_revision(database, "0001")
    with pytest.raises(OtherRevision) as caught, open_snapshots([ledger(database)]):
        pass
    assert (
        caught.value.found,
        ledger(database).can_migrate_from("0001"),
        ledger(database).can_migrate_from("9999"),
    ) == ("0001", True, False)


def test_a_copy_of_an_older_revision_is_brought_to_this_one(
    elsewhere: str, tmp_path: Path, at_revision: Callable[[str, str], None]
) -> None:
    old = f"sqlite:///{tmp_path / 'old.db'}"
    at_revision(old, "0001")
    write(old, sa.text(OLD_BATCH))
    assert not is_empty(ledger(old))
    copy_in(tmp_path / "old.db", ledger(elsewhere))
    assert revision_of(ledger(elsewhere)) == ledger(elsewhere).newest_revision
    assert [row[0] for row in everything(elsewhere)["batches"]] == ["gen_batch_1"]


OLD_BATCH = (
    "INSERT INTO batches (hash, client_id, state, command, recipe, seed, quantity, cursor, written, tally, created_at,"
    " updated_at) VALUES ('gen_batch_1', 'local', 'completed', x'7b7d', x'7b7d', 1, 1, 1, 1, x'7b7d', 1.0, 1.0)"
)


def write(url: str, *statements: sa.Executable) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(statement)
    engine.dispose()
