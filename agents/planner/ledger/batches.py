"""Rows of the ledger: a batch decoded, and single rows of jobs and attempts looked up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.ledger.records import Evidence, decode_evidence, decode_recipe
from agents.planner.ledger.shown_states import shown_state
from agents.planner.ledger.states import AttemptState, BatchState
from agents.planner.ledger.tables import attempts, batches, jobs
from agents.planner.ledger.tally import Tally, status_of
from agents.planner.planning.attempts import Candidate
from agents.planner.planning.recipe import Recipe
from protocol.commands import GenerateImages
from protocol.messages import JobRef
from protocol.parameters import ServiceClass
from protocol.quality import level_of
from protocol.results import BatchState as ShownState
from protocol.results import GenerationStatus

_encode = msgspec.json.encode

# Built once, because building a statement costs more than running it. Names of the values that select a row begin
# with `of_`; the values that an execution gives beside them are the columns that it sets.
_OF_JOB = (
    jobs.c.hash == sa.bindparam("of_hash"),
    jobs.c.index == sa.bindparam("of_index"),
    jobs.c.attempt == sa.bindparam("of_attempt"),
)
OF_ATTEMPT = (
    attempts.c.hash == sa.bindparam("of_hash"),
    attempts.c.index == sa.bindparam("of_index"),
    attempts.c.attempt == sa.bindparam("of_attempt"),
)
_OF_BATCH = batches.c.hash == sa.bindparam("of_hash")

_BATCH = sa.select(batches).where(_OF_BATCH)
_SAVE = sa.update(batches).where(_OF_BATCH)
_JOB = sa.select(jobs).where(*_OF_JOB)
_EVIDENCE = sa.select(attempts.c.evidence).where(*OF_ATTEMPT)
_CANDIDATES = sa.select(attempts.c.attempt, attempts.c.score, attempts.c.evidence).where(
    *OF_ATTEMPT[:2], attempts.c.state == AttemptState.REJECTED
)


@dataclass
class Batch:
    """A batch row, decoded."""

    hash: str
    client_id: str
    state: BatchState
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
    priority: ServiceClass = "batch"
    parent: str | None = None
    not_before: float | None = None
    deadline: float | None = None

    @property
    def created_text(self) -> str:
        """When the batch was made, ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.created_at, UTC).isoformat(timespec="seconds")

    @property
    def least_likeness(self) -> float | None:
        """How much alike its pictures are to be, null where that was not asked for. Those of an upgrade are made from
        pictures that were compared already."""
        return self.command.quality.consistency if self.parent is None else None

    @property
    def status(self) -> GenerationStatus:
        """Where the batch stands."""
        stand_in = self.recipe.pixels.model if self.recipe.stand_in_for else None
        return status_of(self.hash, self.shown_state, self.tally, stand_in)

    @property
    def shown_state(self) -> ShownState:
        """How the batch stands in the words that clients know."""
        return shown_state(self.state, self.tally, unstarted=self.not_before is not None and self.cursor == 0)


def decode_batch(row: RowMapping) -> Batch:
    """A batch from its row."""
    command = msgspec.json.decode(row["command"], type=GenerateImages)
    return Batch(
        hash=row["hash"],
        client_id=row["client_id"],
        state=BatchState(row["state"]),
        command=command,
        recipe=decode_recipe(row["recipe"], command),
        seed=row["seed"],
        quantity=row["quantity"],
        cursor=row["cursor"],
        written=row["written"],
        tally=msgspec.json.decode(row["tally"], type=Tally),
        approval=row["approval"],
        expires_at=row["expires_at"],
        contact_sheet=row["contact_sheet"],
        created_at=row["created_at"],
        priority=row["priority"],
        parent=row["parent"],
        not_before=row["not_before"],
        deadline=row["deadline"],
    )


def load_batch(connection: Connection, batch: str) -> Batch | None:
    """The batch, or null."""
    row = connection.execute(_BATCH, {"of_hash": batch}).mappings().first()
    return decode_batch(row) if row else None


def require_batch(connection: Connection, name: str) -> Batch:
    batch = load_batch(connection, name)
    if batch is None:
        raise LookupError(f"the ledger has jobs of {name} and not its batch")
    return batch


def save_batch(connection: Connection, batch: Batch, now: float) -> None:
    """Write what changes in a batch: its state, cursor, counts and contact sheet."""
    save_batches(connection, (batch,), now)


def save_batches(connection: Connection, changed: Iterable[Batch], now: float) -> None:
    """Write what changed in several batches."""
    values = [
        {
            "of_hash": batch.hash,
            "state": batch.state,
            "cursor": batch.cursor,
            "tally": _encode(batch.tally),
            "contact_sheet": batch.contact_sheet,
            "updated_at": now,
        }
        for batch in changed
    ]
    if values:
        connection.execute(_SAVE, values)


def touch_batch(connection: Connection, name: str, now: float) -> None:
    connection.execute(_SAVE, {"of_hash": name, "updated_at": now})


def current_job_row(connection: Connection, ref: JobRef) -> RowMapping | None:
    """The job's row while `ref` names its current attempt; null for a stale or unknown attempt."""
    return connection.execute(_JOB, _ref_values(ref)).mappings().first()


def load_candidates(connection: Connection, ref: JobRef) -> list[Candidate]:
    rows = connection.execute(_CANDIDATES, {"of_hash": ref.hash, "of_index": ref.index})
    return [Candidate(row.attempt, row.score if row.score is not None else _level(row.evidence)) for row in rows]


def _level(evidence: bytes | None) -> float | None:
    """What an attempt without a score is compared by."""
    assessment = decode_evidence(evidence).assessment if evidence else None
    return level_of(assessment) if assessment else None


def load_evidence(connection: Connection, ref: JobRef, attempt: int) -> Evidence | None:
    data = connection.execute(_EVIDENCE, {**_ref_values(ref), "of_attempt": attempt}).scalar_one_or_none()
    return decode_evidence(data) if data else None


def _ref_values(ref: JobRef) -> dict[str, str | int]:
    return {"of_hash": ref.hash, "of_index": ref.index, "of_attempt": ref.attempt}
