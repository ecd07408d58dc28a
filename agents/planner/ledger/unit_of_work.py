"""The unit of work of one transaction: rows of batches and jobs are read once, changed in memory, and written together.

A statement costs more than the row that it changes, so hundreds of events that arrive together cost a few statements.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.ledger import audit
from agents.planner.ledger.batches import OF_ATTEMPT, Batch, load_batch, require_batch, save_batches
from agents.planner.ledger.records import PROMPTS_DECODER, decode_jobs
from agents.planner.ledger.states import AttemptState, JobStage, JobState
from agents.planner.ledger.tables import attempts, jobs, prompt_pages
from protocol.messages import Job, JobRef, Prompt
from protocol.reuse import StoredPicture

_STORED_DECODER = msgspec.json.Decoder(dict[int, StoredPicture])

# Built once, because building a statement costs more than running it. Names of the values that select a row begin
# with `of_`; the values that an execution gives beside them are the columns that it sets.
_JOBS = sa.select(jobs.c.index, jobs.c.attempt, jobs.c.state, jobs.c.stage, jobs.c.message, jobs.c.outcome).where(
    jobs.c.hash == sa.bindparam("of_hash"), jobs.c.index.in_(sa.bindparam("of_indices", expanding=True))
)
_SET_JOB = sa.update(jobs).where(
    jobs.c.hash == sa.bindparam("of_hash"),
    jobs.c.index == sa.bindparam("of_index"),
    jobs.c.attempt == sa.bindparam("of_attempt"),
    jobs.c.stage == sa.bindparam("of_stage"),
)
_ADD_JOB = sa.insert(jobs)
_ADD_ATTEMPT = sa.insert(attempts)
_SET_ATTEMPT = sa.update(attempts).where(*OF_ATTEMPT)
_PAGE_OF = (
    sa.select(prompt_pages.c.first, prompt_pages.c.prompts, prompt_pages.c.stored)
    .where(prompt_pages.c.hash == sa.bindparam("of_hash"), prompt_pages.c.first <= sa.bindparam("of_index"))
    .order_by(prompt_pages.c.first.desc())
    .limit(1)
)


@dataclass
class JobRow:
    """A job in the unit of work. `ledger_key` is its attempt and stage in the ledger; `changes` are the columns that
    are still to be written."""

    hash: str
    index: int
    attempt: int
    state: JobState
    stage: JobStage
    message: bytes
    outcome: bytes | None
    ledger_key: tuple[int, JobStage]
    changes: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class _PromptPage:
    """Prompts from index `first` on, and which of their pictures are stored already, by index."""

    first: int
    prompts: list[Prompt]
    stored: dict[int, StoredPicture]


class UnitOfWork:
    """The unit of work of one transaction. `write_changes` ends it. Other statements on batches, jobs or attempts go
    through `flush`, on any other table through `connection`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._batches: dict[str, Batch] = {}
        self._changed_batches: dict[str, Batch] = {}
        self._jobs: dict[tuple[str, int], JobRow | None] = {}
        self._new_jobs: list[dict[str, Any]] = []
        self._new_attempts: list[dict[str, Any]] = []
        self._attempt_changes: dict[tuple[str, int, int], dict[str, Any]] = {}
        self._pages: dict[str, _PromptPage] = {}
        self._originals: dict[str, tuple[int, list[Job]]] = {}
        self._audit_rows: list[audit.AuditRow] = []

    def find_batch(self, name: str) -> Batch | None:
        """The batch, or null. The same object every time."""
        if (kept := self._batches.get(name)) is not None:
            return kept
        found = load_batch(self.connection, name)
        if found is not None:
            self._batches[name] = found
        return found

    def require_batch(self, name: str) -> Batch:
        """The batch of a job that is there."""
        if name not in self._batches:
            self._batches[name] = require_batch(self.connection, name)
        return self._batches[name]

    def register_batch(self, batch: Batch) -> None:
        """Take a batch that was read in this transaction."""
        self._batches[batch.hash] = batch

    def mark_changed(self, batch: Batch) -> None:
        """Write what changes in a batch: its state, cursor, counts and contact sheet."""
        self._changed_batches[batch.hash] = batch

    def preload(self, refs: Iterable[JobRef]) -> None:
        """Read jobs that will be asked for, with one statement for each batch."""
        wanted: dict[str, set[int]] = {}
        for ref in refs:
            if (ref.hash, ref.index) not in self._jobs:
                wanted.setdefault(ref.hash, set()).add(ref.index)
        for name, indices in wanted.items():
            self._jobs |= dict.fromkeys((name, index) for index in indices)
            rows = self.connection.execute(_JOBS, {"of_hash": name, "of_indices": sorted(indices)}).mappings()
            self._jobs |= {(name, row["index"]): _decode_job_row(name, row) for row in rows}

    def current_job(self, ref: JobRef) -> JobRow | None:
        """The job while `ref` names its current attempt; null for a stale or unknown attempt."""
        self.preload((ref,))
        row = self._jobs[ref.hash, ref.index]
        return row if row is not None and row.attempt == ref.attempt else None

    def change_job(self, row: JobRow, now: float, **values: Any) -> None:
        """Change a job."""
        for name in ("attempt", "state", "stage", "message", "outcome"):
            if name in values:
                setattr(row, name, values[name])
        row.changes |= values
        row.changes["updated_at"] = now

    def add_jobs(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add jobs that are handed out for the first time."""
        self._new_jobs += rows

    def add_attempts(self, made: Sequence[Job]) -> None:
        """Add attempts that are handed out."""
        self._new_attempts += [
            {
                "hash": job.hash,
                "index": job.index,
                "attempt": job.attempt,
                "state": AttemptState.RUNNING,
                "seed": job.pixels.seed,
            }
            for job in made
        ]

    def change_attempt(self, ref: JobRef, **values: Any) -> None:
        """Change an attempt."""
        self._attempt_changes.setdefault((ref.hash, ref.index, ref.attempt), {}).update(values)

    def note(self, what: str, batch: Batch, index: int, now: float, **detail: str | int | float | None) -> None:
        """Tell the audit log of a picture."""
        self._audit_rows.append(audit.new_row(what, batch.client_id, now, batch.hash, index, **detail))

    def prompt(self, name: str, index: int) -> Prompt:
        """The prompt of a picture, which is written."""
        page = self._prompt_page(name, index)
        return page.prompts[index - page.first]

    def stored_picture(self, name: str, index: int) -> StoredPicture | None:
        """The stored picture that was found for one whose prompt is written."""
        return self._prompt_page(name, index).stored.get(index)

    def original_job(self, name: str, index: int) -> Job:
        """The job of the picture that a picture of an upgrade is made from."""
        first, page = self._originals.get(name, (0, []))
        if not first <= index < first + len(page):
            row = self.connection.execute(_PAGE_OF, {"of_hash": name, "of_index": index}).one()
            first, page = self._originals[name] = row.first, decode_jobs(row.prompts)
        return page[index - first]

    def write_changes(self, now: float) -> None:
        """Write everything that is not written."""
        if self._new_jobs:
            self.connection.execute(_ADD_JOB, self._new_jobs)
        if self._new_attempts:
            self.connection.execute(_ADD_ATTEMPT, self._new_attempts)
        self._write_jobs()
        self._write_attempts()
        save_batches(self.connection, self._changed_batches.values(), now)
        if self._audit_rows:
            audit.add_rows(self.connection, self._audit_rows)
        self._new_jobs, self._new_attempts, self._audit_rows = [], [], []
        self._attempt_changes, self._changed_batches = {}, {}

    def flush(self, now: float) -> Connection:
        """The connection after everything is written; jobs are read anew after it."""
        self.write_changes(now)
        self._jobs = {}
        return self.connection

    def _prompt_page(self, name: str, index: int) -> _PromptPage:
        page = self._pages.get(name)
        if page is None or not page.first <= index < page.first + len(page.prompts):
            row = self.connection.execute(_PAGE_OF, {"of_hash": name, "of_index": index}).one()
            stored = _STORED_DECODER.decode(row.stored) if row.stored else {}
            page = self._pages[name] = _PromptPage(row.first, PROMPTS_DECODER.decode(row.prompts), stored)
        return page

    def _write_jobs(self) -> None:
        by_columns: dict[frozenset[str], list[JobRow]] = {}
        for row in self._jobs.values():
            if row is not None and row.changes:
                by_columns.setdefault(frozenset(row.changes), []).append(row)
        for rows in by_columns.values():
            changed = self.connection.execute(
                _SET_JOB, [_ledger_key_values(row) | row.changes for row in rows]
            ).rowcount
            assert changed == len(rows), "another writer was let in"
            for row in rows:
                row.ledger_key, row.changes = (row.attempt, row.stage), {}

    def _write_attempts(self) -> None:
        by_columns: dict[frozenset[str], list[Mapping[str, Any]]] = {}
        for (name, index, attempt), values in self._attempt_changes.items():
            of = {"of_hash": name, "of_index": index, "of_attempt": attempt}
            by_columns.setdefault(frozenset(values), []).append({**of, **values})
        for rows in by_columns.values():
            self.connection.execute(_SET_ATTEMPT, rows)


def _ledger_key_values(row: JobRow) -> dict[str, Any]:
    attempt, stage = row.ledger_key
    return {"of_hash": row.hash, "of_index": row.index, "of_attempt": attempt, "of_stage": stage}


def _decode_job_row(name: str, row: RowMapping) -> JobRow:
    state, stage = JobState(row["state"]), JobStage(row["stage"])
    return JobRow(
        hash=name,
        index=row["index"],
        attempt=row["attempt"],
        state=state,
        stage=stage,
        message=row["message"],
        outcome=row["outcome"],
        ledger_key=(row["attempt"], stage),
    )
