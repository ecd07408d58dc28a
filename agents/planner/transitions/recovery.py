"""Recovers what got lost: work in flight that went silent is sent again, and batches that stand still go on."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import decode_batch, require_batch, touch_batch
from agents.planner.ledger.records import decode_work
from agents.planner.ledger.states import ENDED_BATCH_STATES, IN_FLIGHT_JOB_STATES, BatchState, JobStage, JobState
from agents.planner.ledger.tables import batches, jobs
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import advance, wants_prompts
from agents.planner.scheduling.window import Window
from agents.planner.scheduling.work_messages import contact_sheet_request, prompts_request
from agents.planner.transitions.apply_events import apply_events
from protocol.messages import CancelBatch, CancelImage, GenerateImage, JobCancelled, Work, ref_of

MAX_ROWS_PER_ROUND = 1000
"""Rows looked at in one round."""


@dataclass
class OverdueWork:
    """Work to send again, each with a number that no earlier resend had; changes of batches that stood still; and
    batches and pictures, by id, that were cancelled while no generator confirmed it."""

    resends: list[tuple[Work, int]] = field(default_factory=list[tuple[Work, int]])
    changes: list[Change] = field(default_factory=list[Change])
    unanswered_cancels: dict[str, CancelBatch | CancelImage] = field(
        default_factory=dict[str, CancelBatch | CancelImage]
    )


def find_overdue(
    connection: Connection, now: float, stale_s: float, window: Window, at_once: int = MAX_ROWS_PER_ROUND
) -> OverdueWork:
    """Everything that nothing was heard of for `stale_s` seconds."""
    found = OverdueWork()
    _resend_jobs(connection, now, now - stale_s, window, at_once, found)
    _advance_batches(connection, now, now - stale_s, window, at_once, found)
    _resend_contact_sheets(connection, now, now - stale_s, at_once, found)
    return found


def _resend_jobs(
    connection: Connection, now: float, before: float, window: Window, at_once: int, found: OverdueWork
) -> None:
    """A cancelled picture that no generator answered for is cancelled here. What generators left of a paused batch is
    said again when it is resumed."""
    paused = sa.select(batches.c.hash).where(batches.c.state == BatchState.PAUSED)
    stale = sa.select(jobs).where(
        jobs.c.state.in_(IN_FLIGHT_JOB_STATES),
        _is_stale(jobs.c.updated_at, now, before),
        sa.or_(jobs.c.stage != JobStage.GENERATOR, jobs.c.state == JobState.CANCELLING, jobs.c.hash.not_in(paused)),
    )
    dropped: list[JobCancelled] = []
    for row in connection.execute(stale.limit(at_once)).mappings().all():
        work = decode_work(row["message"])
        if row["state"] == JobState.CANCELLING and isinstance(work, GenerateImage):
            job = work.job
            dropped.append(JobCancelled(ref=ref_of(job)))
            if require_batch(connection, job.hash).tally.stopped:
                found.unanswered_cancels[job.hash] = CancelBatch(hash=job.hash, client_id=job.client_id)
            else:
                found.unanswered_cancels[job.image_id] = CancelImage(ref=ref_of(job))
            continue
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.hash == row["hash"], jobs.c.index == row["index"])
            .values(resends=row["resends"] + 1, updated_at=now)
        )
        found.resends.append((work, row["resends"] + 1))
    for outcome in apply_events(connection, dropped, window, now):
        found.changes += outcome if isinstance(outcome, list) else []


def _advance_batches(
    connection: Connection, now: float, before: float, window: Window, at_once: int, found: OverdueWork
) -> None:
    quiet = sa.select(batches.c.hash).where(
        batches.c.state.in_((BatchState.RUNNING, BatchState.HELD)),
        _is_stale(batches.c.updated_at, now, before),
    )
    for name in connection.execute(quiet.limit(at_once)).scalars().all():
        batch = require_batch(connection, name)  # read in its turn: places may have gone to it a moment ago
        touch_batch(connection, name, now)
        if batch.parent is None and wants_prompts(batch, window):
            found.resends.append((prompts_request(batch), int(now)))
        if batch.state == BatchState.RUNNING:
            found.changes.append(advance(connection, batch, window, now))


def _resend_contact_sheets(connection: Connection, now: float, before: float, at_once: int, found: OverdueWork) -> None:
    missing = sa.select(batches).where(
        batches.c.state.in_(ENDED_BATCH_STATES),
        batches.c.contact_sheet.is_(None),
        _is_stale(batches.c.updated_at, now, before),
    )
    for row in connection.execute(missing.limit(at_once)).mappings().all():
        touch_batch(connection, row["hash"], now)
        found.resends.append((contact_sheet_request(decode_batch(row)), int(now)))


def _is_stale(at: sa.Column[float], now: float, before: float) -> sa.ColumnElement[bool]:
    """Nothing was heard since `before`, or it was heard at a time to come: the clock was put back."""
    return sa.or_(at < before, at > now + (now - before))
