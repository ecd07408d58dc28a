"""A ledger of version 0.1.0 gets the checks of its states and keeps everything else."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from agents.planner.agent import MIGRATIONS
from agents.planner.ledger import tables
from agents.shared.database.engine import alembic_config, migrate, open_engine, version_table

REVISION = "0006"
"""Where a ledger of version 0.1.0 is."""

PICTURE = {"hash": "gen_1", "index": 0}
WRITTEN = {"created_at": 1.5, "updated_at": 2.5}

ROWS: list[tuple[sa.Table, dict[str, Any]]] = [
    (tables.clients, {"client_id": "acme", "state": "limited", "limit_micros": 5, "held_micros": 3, "spent_micros": 1,
                      "weight": 2, **WRITTEN}),
    (tables.batches, {"hash": "gen_1", "client_id": "acme", "state": "running", "command": b"c", "recipe": b"r",
                      "seed": 2**40, "quantity": 2, "cursor": 2, "written": 2, "tally": b"t", "parent": "gen_0",
                      "priority": "interactive", **WRITTEN}),
    (tables.commands, {"client_id": "acme", "command_id": "one", "payload": "p", "hash": "gen_1", "created_at": 1.0}),
    (tables.prompt_pages, {"hash": "gen_1", "first": 0, "prompts": b"p", "stored": b"s"}),
    (tables.jobs, {**PICTURE, "state": "completed", "stage": "done", "attempt": 1, "message": b"m", "resends": 3,
                   "updated_at": 3.5, "outcome": b"o", "parent": "x", "reused": "y"}),
    (tables.jobs, {**PICTURE, "index": 1, "state": "waiting", "stage": "queue", "attempt": 4, "message": b"m",
                   "resends": 0, "updated_at": 3.5, "outcome": None, "parent": None, "reused": None}),
    (tables.attempts, {**PICTURE, "attempt": 1, "state": "accepted", "seed": 7, "score": 0.5, "seconds": 1.5,
                       "cost_micros": 4, "evidence": b"e"}),
    (tables.reservations, {"hash": "gen_1", "client_id": "acme", "amount_micros": 9, "settled_micros": 1,
                           "released_micros": 2, "state": "open"}),
    (tables.intents, {**PICTURE, "attempt": 1, "client_id": "acme", "provider": "p", "request": "r", "key": "k",
                      "max_micros": 3, "state": "captured", "opened_at": 1.0, "closed_at": 2.0}),
    (tables.spend, {**PICTURE, "client_id": "acme", "attempt": 1, "provider": "p", "kind": "gpu", "micros": 4,
                    "at": 1.0}),
]  # fmt: skip
"""Rows in every table that is changed and in every table that refers to one."""


LATER_TABLES = {"blob_owners"}
LATER_INDEXES = {"batches_by_client_state"}
"""What revisions after the one that is tested bring."""


@pytest.fixture
def engine(database: str, at_revision: Callable[[str, str], None]) -> Iterator[Engine]:
    """An old ledger that is in use."""
    at_revision(database, REVISION)
    engine = open_engine(database)
    with engine.begin() as connection:
        for table, row in ROWS:
            connection.execute(sa.insert(table).values(row))
    yield engine
    engine.dispose()


def contents(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    with engine.begin() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in tables.metadata.sorted_tables
            if table.name not in LATER_TABLES
        }


def structure(engine: Engine) -> dict[str, object]:
    """Columns, keys and indexes of every table, by name; without the checks."""
    found = sa.inspect(engine)
    return {
        name: (
            {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(name)},
            found.get_pk_constraint(name)["constrained_columns"],
            sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"])
                for key in found.get_foreign_keys(name)
            ),
            sorted(
                (str(index["name"]), index["column_names"])
                for index in found.get_indexes(name)
                if index["name"] not in LATER_INDEXES
            ),
            [key["name"] for key in found.get_unique_constraints(name)],
        )
        for name in tables.metadata.tables
        if name not in LATER_TABLES
    }


def test_rows_keys_and_indexes_outlast_the_checks_and_a_state_that_meant_nothing_is_active(engine: Engine) -> None:
    before, built = contents(engine), structure(engine)
    migrate(engine, MIGRATIONS)

    before["clients"][0]["state"] = "active"
    assert contents(engine) == before
    assert structure(engine) == built


def test_states_and_references_are_checked_afterwards(engine: Engine) -> None:
    migrate(engine, MIGRATIONS)

    for change in (
        sa.update(tables.clients).values(state="limited"),
        sa.update(tables.jobs).values(stage="storage"),
        sa.insert(tables.jobs).values(ROWS[4][1] | {"hash": "gen_2"}),
        sa.delete(tables.batches),
    ):
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(change)
    with engine.begin() as connection:
        row = {key: value for key, value in ROWS[-1][1].items() if key != "attempt"}
        connection.execute(sa.insert(tables.spend).values(row | {"attempt": 2}))
        assert connection.execute(sa.select(tables.spend.c.id)).scalars().all() == [1, 2]


def test_the_checks_can_be_taken_away_again(engine: Engine) -> None:
    built = structure(engine)
    migrate(engine, MIGRATIONS)
    before = contents(engine)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            config = alembic_config(MIGRATIONS)
            config.attributes.update(connection=connection, version_table=version_table(engine, MIGRATIONS))
            command.downgrade(config, REVISION)

    assert (contents(engine), structure(engine)) == (before, built)
    names = [name for name in tables.metadata.tables if name not in LATER_TABLES]
    assert [sa.inspect(engine).get_check_constraints(name) for name in names] == [[]] * 12
