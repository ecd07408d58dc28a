"""States are a closed set: in the tables of steps, in the database, and in the pages that draw them."""

import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from agents.planner.ledger import states
from agents.planner.ledger.state_diagrams import PAGES, ROOT, state_diagram, with_diagrams
from agents.planner.ledger.tables import attempts, batches, clients, intents, jobs, metadata, reservations

CLIENT = {"client_id": "a", "state": "active", "held_micros": 0, "spent_micros": 0, "weight": 1}
BATCH = {
    "hash": "b", "client_id": "a", "state": "running", "command": b"", "recipe": b"", "seed": 1, "quantity": 1,
    "cursor": 1, "written": 1, "tally": b"",
}  # fmt: skip
JOB = {"hash": "b", "index": 0, "state": "running", "stage": "qa", "attempt": 1, "message": b"", "resends": 0}
ATTEMPT = {"hash": "b", "index": 0, "attempt": 1, "state": "running", "seed": 1}
RESERVATION = {
    "hash": "b", "client_id": "a", "amount_micros": 0, "settled_micros": 0, "released_micros": 0, "state": "open",
}  # fmt: skip
INTENT = {
    "hash": "b", "index": 0, "attempt": 1, "client_id": "a", "provider": "p", "request": "r", "key": "k",
    "max_micros": 0, "state": "open", "opened_at": 0.0,
}  # fmt: skip
CREATED, UPDATED = {"created_at": 0.0}, {"updated_at": 0.0}

ROWS: list[tuple[sa.Table, dict[str, Any]]] = [
    (clients, CLIENT | CREATED | UPDATED),
    (batches, BATCH | CREATED | UPDATED),
    (jobs, JOB | UPDATED),
    (attempts, ATTEMPT),
    (reservations, RESERVATION),
    (intents, INTENT),
]
"""One row of each table with states, in an order in which they can be added."""

REFUSED: list[tuple[sa.Table, dict[str, str]]] = [
    (clients, {"state": "limited"}),
    (batches, {"state": "waiting"}),
    (jobs, {"state": "accepted"}),
    (jobs, {"stage": "prompt"}),
    (jobs, {"state": "waiting"}),
    (jobs, {"stage": "done"}),
    (jobs, {"state": "completed"}),
    (attempts, {"state": "cancelled"}),
    (reservations, {"state": "settled"}),
    (intents, {"state": "closed"}),
]
"""Changes of those rows to states, or pairs of state and stage, that do not exist."""


@pytest.fixture
def filled(engine: Engine) -> Engine:
    with engine.begin() as connection:
        for table, row in ROWS:
            connection.execute(sa.insert(table).values(row))
    return engine


@pytest.mark.parametrize(("table", "change"), REFUSED, ids=lambda value: str(value))
def test_the_database_refuses_a_state_that_does_not_exist(
    filled: Engine, table: sa.Table, change: dict[str, str]
) -> None:
    with pytest.raises(IntegrityError, match=f"{table.name}_state"), filled.begin() as connection:
        connection.execute(sa.update(table).values(**change))


def test_the_database_takes_every_pair_of_state_and_stage_that_has_steps(filled: Engine) -> None:
    places = [place for place in states.LEGAL if place is not None]
    with filled.connect() as connection, connection.begin() as transaction:
        for state, stage in places:
            connection.execute(sa.update(jobs).values(state=state, stage=stage))
            assert connection.execute(sa.select(jobs.c.state, jobs.c.stage)).one() == (state.value, stage.value)
        transaction.rollback()


def test_the_migrated_tables_have_the_checks_that_the_code_names(engine: Engine) -> None:
    migrated = sa.inspect(engine)
    for table in metadata.sorted_tables:
        named = {check.name for check in table.constraints if isinstance(check, sa.CheckConstraint)}
        assert {check["name"] for check in migrated.get_check_constraints(table.name)} == named


def test_every_state_has_its_steps_and_no_step_leads_to_nowhere() -> None:
    machines = [
        (states.BatchState, states.LEGAL_BATCH),
        (states.AttemptState, states.LEGAL_ATTEMPT),
        (states.ClientState, states.LEGAL_CLIENT),
        (states.ReservationState, states.LEGAL_RESERVATION),
        (states.IntentState, states.LEGAL_INTENT),
    ]
    for kind, legal in machines:
        assert legal.keys() == {None, *kind}
        assert {state for following in legal.values() for state in following} == set(kind)
    places = {place for place in states.LEGAL if place is not None}
    assert {place for following in states.LEGAL.values() for place in following} == places
    assert {state for state, _ in places} == set(states.JobState)
    assert {stage for _, stage in places} == set(states.JobStage)


def test_the_named_sets_of_states_divide_what_there_is() -> None:
    assert {*states.ACTIVE_BATCH_STATES, *states.ENDED_BATCH_STATES} == set(states.BatchState)
    assert {*states.OPEN_JOB_STATES, *states.ENDED_JOB_STATES} == set(states.JobState)
    assert {state for state, stage in filter(None, states.LEGAL) if stage == states.JobStage.DONE} == set(
        states.ENDED_JOB_STATES
    )


def test_a_diagram_has_a_line_for_every_step() -> None:
    assert state_diagram({None: [("a", "x")], ("a", "x"): [("a", "x"), ("b",)], ("b",): []}) == (
        'stateDiagram-v2\n    state "a / x" as a_x\n    [*] --> a_x\n    a_x --> a_x\n    a_x --> b\n'
    )


def test_the_pages_draw_the_states_as_they_are() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert "<!-- generated: job states -->" in text
        assert with_diagrams(text) == text


def test_the_check_of_the_diagrams_can_be_run_by_itself() -> None:
    check = [sys.executable, "-m", "agents.planner.ledger.state_diagrams", "--check"]
    assert subprocess.run(check, cwd=ROOT, check=False, timeout=50).returncode == 0
