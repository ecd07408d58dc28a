"""Rows of the ledger: a batch decoded, and the conditional updates by which a job changes.

Every change of a job is one statement that names the stage and attempt it leaves; one row must change.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.attempts import Candidate
from agents.planner.recipe import Recipe
from agents.planner.tables import Evidence, Outcome, attempts, batches, jobs
from agents.planner.tally import Tally, status_of
from protocol.commands import GenerateImages
from protocol.messages import Job, JobRef, Work
from protocol.replies import GenerationStatus

WORK = msgspec.json.Decoder(Work)
"""Decodes the outstanding message of a job."""

_encode = msgspec.json.encode


@dataclass
class Batch:
    """A batch row, decoded."""

    hash: str
    client_id: str
    state: str
    command: GenerateImages
    recipe: Recipe
    seed: int
    quantity: int
    cursor: int
    written: int
    tally: Tally
    approval: str | None
    expires_at: float | None
    contact_sheet: str | None
    created_at: float

    @property
    def status(self) -> GenerationStatus:
        """Where the batch stands."""
        stand_in = self.recipe.model if self.recipe.stand_in_for else None
        return status_of(self.hash, self.tally, stand_in)


def decode_batch(row: RowMapping) -> Batch:
    """A batch from its row."""
    return Batch(
        hash=row["hash"],
        client_id=row["client_id"],
        state=row["state"],
        command=msgspec.json.decode(row["command"], type=GenerateImages),
        recipe=msgspec.json.decode(row["recipe"], type=Recipe),
        seed=row["seed"],
        quantity=row["quantity"],
        cursor=row["cursor"],
        written=row["written"],
        tally=msgspec.json.decode(row["tally"], type=Tally),
        approval=row["approval"],
        expires_at=row["expires_at"],
        contact_sheet=row["contact_sheet"],
        created_at=row["created_at"],
    )


def load_batch(connection: Connection, batch: str) -> Batch | None:
    """The batch, or null."""
    row = connection.execute(sa.select(batches).where(batches.c.hash == batch)).mappings().first()
    return decode_batch(row) if row else None


def required(connection: Connection, name: str) -> Batch:
    batch = load_batch(connection, name)
    if batch is None:
        raise LookupError(f"the ledger has jobs of {name} and not its batch")
    return batch


def save(connection: Connection, batch: Batch, now: float, *, cursor: int | None = None) -> None:
    values: dict[str, Any] = {"tally": _encode(batch.tally), "updated_at": now}
    if cursor is not None:
        values["cursor"] = cursor
    connection.execute(sa.update(batches).where(batches.c.hash == batch.hash).values(**values))


def touch(connection: Connection, name: str, now: float) -> None:
    connection.execute(sa.update(batches).where(batches.c.hash == name).values(updated_at=now))


def job_row(connection: Connection, ref: JobRef) -> RowMapping | None:
    """The job's row while `ref` names its current attempt; null for a stale or unknown attempt."""
    return (
        connection.execute(
            sa.select(jobs).where(jobs.c.hash == ref.hash, jobs.c.index == ref.index, jobs.c.attempt == ref.attempt)
        )
        .mappings()
        .first()
    )


def attempt_is(ref: JobRef) -> tuple[sa.ColumnElement[bool], ...]:
    return (attempts.c.hash == ref.hash, attempts.c.index == ref.index, attempts.c.attempt == ref.attempt)


def move(connection: Connection, ref: JobRef, before: str, after: str, message: Work, now: float) -> bool:
    """One stage on, if the job is where it is said to be."""
    return (
        connection.execute(
            sa.update(jobs)
            .where(
                jobs.c.hash == ref.hash,
                jobs.c.index == ref.index,
                jobs.c.attempt == ref.attempt,
                jobs.c.stage == before,
            )
            .values(stage=after, message=_encode(message), resends=0, updated_at=now)
        ).rowcount
        == 1
    )


def set_job(connection: Connection, ref: JobRef, now: float, **values: Any) -> None:
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.hash == ref.hash, jobs.c.index == ref.index, jobs.c.attempt == ref.attempt)
        .values(updated_at=now, **values)
    )


def end(connection: Connection, ref: JobRef, state: str, outcome: Outcome, now: float) -> bool:
    """Make a job terminal, once."""
    return (
        connection.execute(
            sa.update(jobs)
            .where(
                jobs.c.hash == ref.hash,
                jobs.c.index == ref.index,
                jobs.c.attempt == ref.attempt,
                jobs.c.stage != "done",
            )
            .values(state=state, stage="done", outcome=_encode(outcome), updated_at=now)
        ).rowcount
        == 1
    )


def open_attempt(connection: Connection, job: Job) -> None:
    connection.execute(
        sa.insert(attempts).values(hash=job.hash, index=job.index, attempt=job.attempt, state="running", seed=job.seed)
    )


def candidates(connection: Connection, ref: JobRef) -> list[Candidate]:
    rows = connection.execute(
        sa.select(attempts.c.attempt, attempts.c.score).where(
            attempts.c.hash == ref.hash, attempts.c.index == ref.index, attempts.c.state == "rejected"
        )
    )
    return [Candidate(row.attempt, row.score) for row in rows]


def evidence_of(connection: Connection, ref: JobRef, attempt: int) -> Evidence | None:
    data = connection.execute(
        sa.select(attempts.c.evidence).where(
            attempts.c.hash == ref.hash, attempts.c.index == ref.index, attempts.c.attempt == attempt
        )
    ).scalar_one_or_none()
    return msgspec.json.decode(data, type=Evidence) if data else None
