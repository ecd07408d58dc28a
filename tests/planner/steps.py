"""Which steps rows take from state to state: the database itself notes them, whichever code makes them."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy import Engine

from agents.planner.ledger import states

S = TypeVar("S", bound=str)

Step = tuple[str | None, str]
"""A state before, null for a row that is new, and the one after it."""

_ROWS = {
    "jobs": "{row}.state || '/' || {row}.stage",
    "batches": "{row}.state",
    "attempts": "{row}.state",
    "clients": "{row}.state",
    "reservations": "{row}.state",
    "intents": "{row}.state",
}
"""Table -> what its rows are noted as."""

_AGAIN = {"jobs": " OR NEW.attempt <> OLD.attempt"}
"""Table -> what else makes a step."""


def _names(table: Mapping[S | None, Iterable[S]]) -> set[Step]:
    return {(before, after) for before, following in table.items() for after in following}


def _place(place: states.JobPlace | None) -> str | None:
    return "/".join(place) if place else None


LEGAL_STEPS: dict[str, set[Step]] = {
    "jobs": {(_place(before), "/".join(after)) for before, following in states.LEGAL.items() for after in following},
    "batches": _names(states.LEGAL_BATCH),
    "attempts": _names(states.LEGAL_ATTEMPT),
    "clients": _names(states.LEGAL_CLIENT),
    "reservations": _names(states.LEGAL_RESERVATION),
    "intents": _names(states.LEGAL_INTENT),
}
"""Table -> its steps."""


def record_steps(engine: Engine) -> None:
    """Note every step from now on."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE steps (name VARCHAR(16), before VARCHAR(32), after VARCHAR(32),"
            " PRIMARY KEY (name, before, after))"
        )
        for table, row in _ROWS.items():
            before, after = row.format(row="OLD"), row.format(row="NEW")
            changed = f"{before} <> {after}{_AGAIN.get(table, '')}"
            for event, condition, old in (("INSERT", "1 = 1", "''"), ("UPDATE", changed, before)):
                for statement in _trigger(engine, table, event, condition, f"'{table}', {old}, {after}"):
                    connection.exec_driver_sql(statement)


def seen_steps(engine: Engine) -> dict[str, set[Step]]:
    """Table -> the steps that its rows have taken."""
    with engine.begin() as connection:
        rows = connection.execute(sa.text("SELECT name, before, after FROM steps")).all()
    return {table: {(before or None, after) for name, before, after in rows if name == table} for table in LEGAL_STEPS}


def reachable_steps(table: str) -> set[Step]:
    """Steps that several legal ones, taken in one transaction, may look like."""
    steps = set(LEGAL_STEPS[table])
    while more := {(a, d) for a, b in steps for c, d in LEGAL_STEPS[table] if b == c} - steps:
        steps |= more
    return steps


def _trigger(engine: Engine, table: str, event: str, condition: str, values: str) -> Iterable[str]:
    name = f"{table}_{event}_steps".lower()
    if engine.dialect.name == "sqlite":
        return (
            f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {condition}"
            f" BEGIN INSERT OR IGNORE INTO steps VALUES ({values}); END",
        )
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger AS $$ BEGIN"
        f" INSERT INTO steps VALUES ({values}) ON CONFLICT DO NOTHING; RETURN NULL; END $$ LANGUAGE plpgsql",
        f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}()",
    )
