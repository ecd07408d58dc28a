"""Transitions that a client causes while its batch is made: pause, resume, retry, cancel, priority, amend.

Each runs inside one transaction of the writer, and a second time changes nothing. What was never handed out has no row
and costs no statement.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.audit import note
from agents.planner.ledger.batches import Batch, require_batch
from agents.planner.ledger.records import Outcome, decode_work
from agents.planner.ledger.states import (
    ACTIVE_BATCH_STATES,
    IN_FLIGHT_JOB_STATES,
    UNFILED_JOB_STATES,
    BatchState,
    JobStage,
    JobState,
)
from agents.planner.ledger.tables import attempts, batches, jobs
from agents.planner.money.clients import refuse_suspended
from agents.planner.money.reservations import reserve_more
from agents.planner.outbox.change import Change
from agents.planner.planning.attempts import next_round
from agents.planner.planning.pricing import BUDGET_USED_UP
from agents.planner.scheduling.consistency_round import leave_waiting_standing
from agents.planner.scheduling.hand_out import advance, cancel_unstarted, no_change
from agents.planner.scheduling.window import Window
from agents.planner.transitions.amend import amend
from agents.planner.transitions.refusals import wrong_state
from protocol.commands import Amend, Cancel, Pause, Priority, Resume, Retry
from protocol.errors import ErrorBody, Refused
from protocol.ids import image_id, index_of
from protocol.messages import CancelBatch, CancelImage, GenerateImage, JobRef, Work
from protocol.parameters import ServiceClass

BatchCommand = Pause | Resume | Cancel | Retry | Priority | Amend
"""Commands that change how a batch goes on."""

_encode = msgspec.json.encode

NO_WORK = b""
"""The message of a picture that was cancelled before its turn."""

_MADE = (
    sa.select(sa.func.coalesce(sa.func.max(attempts.c.attempt), 0))
    .where(attempts.c.hash == jobs.c.hash, attempts.c.index == jobs.c.index)
    .correlate(jobs)
    .scalar_subquery()
)
_LAST_ATTEMPT = sa.case((jobs.c.attempt < _MADE, _MADE), else_=jobs.c.attempt)
"""Highest number of an attempt at a picture: its job may have gone back to an earlier one, which was the best."""

_CANCELLED = ErrorBody(code="cancelled", message="the picture was cancelled")


def apply_batch_command(
    connection: Connection, batch: Batch, command: BatchCommand, window: Window, now: float
) -> Change:
    """Do what a command asks of its batch.

    Raises:
        Refused: `wrong_state`, `unknown_image`, `exceeds_budget` or `suspended`, with what could be done.
        BadCommand: a change that this batch cannot make.
    """
    if not isinstance(command, Pause | Cancel):
        refuse_suspended(connection, batch.client_id)
    note(connection, type(command).__name__.lower(), batch.client_id, now, batch.hash)
    match command:
        case Pause():
            return pause(connection, batch, window, now)
        case Resume():
            return resume(connection, batch, window, now)
        case Cancel(image_id=str() as image):
            return cancel_image(connection, batch, picture_index(batch, image), window, now)
        case Cancel():
            return cancel(connection, batch, command.what, window, now)
        case Retry(image_id=image):
            return retry(connection, batch, picture_index(batch, image) if image else None, window, now)
        case Priority():
            return set_priority(connection, batch, command.priority, window, now)
        case Amend():
            return amend(connection, batch, command, window, now)


def picture_index(batch: Batch, name: str, path: str = "$.image_id") -> int:
    """The index of a picture of a batch by its id.

    Raises:
        Refused: `unknown_image` where the batch has no such picture.
    """
    index = index_of(batch.hash, name)
    if index is None or index >= batch.quantity:
        hint = f"{image_id(batch.hash, 0)} to {image_id(batch.hash, batch.quantity - 1)}"
        raise Refused("unknown_image", f"{name!r} is no picture of {batch.hash}", path=path, hint=hint)
    return index


def pause(connection: Connection, batch: Batch, window: Window, now: float) -> Change:
    """Hand out nothing more; what is queued for generators waits too, and gives its places to others.

    Raises:
        Refused: `wrong_state` where the batch is held or has ended.
    """
    if batch.state != BatchState.PAUSED:
        _change_state(connection, batch, BatchState.RUNNING, BatchState.PAUSED, now)
    return advance(connection, batch, window, now)


def resume(connection: Connection, batch: Batch, window: Window, now: float) -> Change:
    """Go on with a paused batch: what was queued is said again.

    Raises:
        Refused: `wrong_state` where the batch is held or has ended.
    """
    if batch.state == BatchState.RUNNING:
        return advance(connection, batch, window, now)
    _change_state(connection, batch, BatchState.PAUSED, BatchState.RUNNING, now)
    again = _resend_generation(connection, jobs.c.hash == batch.hash, now)
    change = advance(connection, batch, window, now)
    change.resends += again
    return change


def cancel(connection: Connection, batch: Batch, what: str, window: Window, now: float) -> Change:
    """Stop a batch: what was not handed out is cancelled now, what is in flight when its process says so."""
    if batch.state not in ACTIVE_BATCH_STATES:
        return no_change(batch, finished=True)
    cancel_unstarted(connection, batch, _CANCELLED, now)
    again: list[tuple[Work, int]] = []
    if what == "all":
        running = sa.update(jobs).where(jobs.c.hash == batch.hash, jobs.c.state == JobState.RUNNING)
        connection.execute(running.values(state=JobState.CANCELLING, updated_at=now))
        if batch.state == BatchState.PAUSED:
            batch.state = BatchState.RUNNING
            again = _resend_generation(connection, jobs.c.hash == batch.hash, now)
    change = advance(connection, batch, window, now)
    if what == "all" and not change.finished:
        change.control_messages.append(CancelBatch(hash=batch.hash, client_id=batch.client_id))
    change.resends += again
    return change


def cancel_image(connection: Connection, batch: Batch, index: int, window: Window, now: float) -> Change:
    """Stop one picture; one that has ended stays as it is."""
    row = _job_row(connection, batch, index)
    this = sa.and_(jobs.c.hash == batch.hash, jobs.c.index == index)
    change = Change()
    if row is None and batch.state in ACTIVE_BATCH_STATES and batch.cursor <= index:
        values = {"attempt": 0, "message": NO_WORK, "resends": 0, **_cancelled_values(now)}
        connection.execute(sa.insert(jobs).values(hash=batch.hash, index=index, **values))
        batch.tally.cancel_ahead()
    elif leave_waiting_standing(connection, batch, now, index):
        pass  # it is filed, and stays so
    elif row is not None and row["state"] == JobState.WAITING:
        waiting = sa.update(jobs).where(this, jobs.c.state == JobState.WAITING)
        connection.execute(waiting.values(**_cancelled_values(now)))
        batch.tally.cancel_waiting()
    elif row is not None and row["state"] == JobState.RUNNING:
        running = sa.update(jobs).where(this, jobs.c.state == JobState.RUNNING)
        connection.execute(running.values(state=JobState.CANCELLING, updated_at=now))
        name = image_id(batch.hash, index)
        ref = JobRef(hash=batch.hash, client_id=batch.client_id, index=index, attempt=row["attempt"], image_id=name)
        change.control_messages.append(CancelImage(ref=ref))
        change.resends = _resend_generation(connection, this, now) if batch.state == BatchState.PAUSED else []
    else:
        return no_change(batch)
    follows = advance(connection, batch, window, now)
    follows.control_messages += change.control_messages
    follows.resends += change.resends
    return follows


def retry(connection: Connection, batch: Batch, index: int | None, window: Window, now: float) -> Change:
    """Try what failed again, each picture with as many attempts as it had; or one picture that failed or was cancelled
    alone.

    Raises:
        Refused: `wrong_state` where the batch is held, was cancelled or has used its budget up, or the one
            picture did not fail; `exceeds_budget` where the further attempts may cost more than is left.
    """
    if batch.state == BatchState.HELD:
        raise wrong_state(batch, "a plan that nobody approved")
    if batch.tally.budget_used_up:
        raise wrong_state(batch, "a batch that ended because its budget is used up", BUDGET_USED_UP.hint)
    if batch.tally.stopped:
        raise wrong_state(batch, "a cancelled batch")
    again = _retry_failed(connection, batch, now) if index is None else _retry_one(connection, batch, index, now)
    if not again:
        return no_change(batch)
    reserve_more(connection, batch, again, now)
    batch.tally.count_retry()
    if batch.state == BatchState.COMPLETED:
        _change_state(connection, batch, BatchState.COMPLETED, BatchState.RUNNING, now)
        batch.contact_sheet = None
    return advance(connection, batch, window, now)


def set_priority(connection: Connection, batch: Batch, priority: ServiceClass, window: Window, now: float) -> Change:
    """Move a batch between the classes.

    Raises:
        Refused: `wrong_state` where the batch has ended.
    """
    if batch.state not in ACTIVE_BATCH_STATES:
        raise wrong_state(batch, "a batch that has ended")
    batch.priority = priority
    connection.execute(sa.update(batches).where(batches.c.hash == batch.hash).values(priority=priority))
    return advance(connection, batch, window, now)


def expire_batches(connection: Connection, window: Window, now: float) -> list[Change]:
    """Cancel held plans whose time is over, and what is left of batches that must have ended by now."""
    due = sa.select(batches.c.hash).where(
        sa.or_(
            sa.and_(batches.c.state == BatchState.HELD, batches.c.expires_at < now),
            sa.and_(batches.c.state.in_(ACTIVE_BATCH_STATES), batches.c.deadline < now),
        )
    )
    changes: list[Change] = []
    for name in connection.execute(due).scalars().all():
        batch = require_batch(connection, name)  # read in its turn: places may have gone to it a moment ago
        if not batch.tally.stopped:
            changes.append(cancel(connection, batch, "all", window, now))
    return changes


def _retry_failed(connection: Connection, batch: Batch, now: float) -> int:
    """Everything that failed waits again; how many pictures that are."""
    most = batch.recipe.max_attempts
    following = _LAST_ATTEMPT - (_LAST_ATTEMPT - 1) % most + most  # next_round, for all rows at once
    failed = sa.update(jobs).where(jobs.c.hash == batch.hash, jobs.c.state == JobState.FAILED)
    waiting = {"state": JobState.WAITING, "stage": JobStage.QUEUE, "attempt": following, "updated_at": now}
    tried = connection.execute(failed.values(**waiting)).rowcount
    batch.tally.retry_failed(tried)
    return tried + (_retry_unwritten(connection, batch) if batch.tally.failed else 0)


def _retry_unwritten(connection: Connection, batch: Batch) -> int:
    """Pictures that failed for want of prompts have no row: the cursor goes back to the first of them."""
    of_batch = jobs.c.hash == batch.hash
    last = connection.execute(sa.select(sa.func.max(jobs.c.index)).where(of_batch, jobs.c.attempt > 0)).scalar_one()
    batch.cursor = 0 if last is None else last + 1
    ended = sa.select(sa.func.count()).select_from(jobs).where(of_batch, jobs.c.index >= batch.cursor)
    batch.tally.retry_unwritten(connection.execute(ended).scalar_one())
    batch.tally.discard_prompts()
    return batch.quantity - batch.cursor - batch.tally.ahead


def _retry_one(connection: Connection, batch: Batch, index: int, now: float) -> int:
    row = _job_row(connection, batch, index)
    if row is None or row["state"] not in UNFILED_JOB_STATES:
        if row is not None and row["state"] == JobState.WAITING:
            return 0
        raise Refused(
            "wrong_state",
            f"picture {index} of {batch.hash} did not fail: it is {row['state'] if row else 'not started'}",
            path="$.image_id",
            hint="UPGRADE makes finished pictures again; see RESULT",
        )
    this = sa.and_(jobs.c.hash == batch.hash, jobs.c.index == index, jobs.c.state == row["state"])
    if index >= batch.cursor:  # cancelled before its turn
        connection.execute(sa.delete(jobs).where(this))
        batch.tally.forget_ahead(1)
        return 1
    last: int = connection.execute(sa.select(_LAST_ATTEMPT).where(this)).scalar_one()
    attempt = next_round(last, batch.recipe.max_attempts) if last else 1
    waiting = {"state": JobState.WAITING, "stage": JobStage.QUEUE, "attempt": attempt, "updated_at": now}
    connection.execute(sa.update(jobs).where(this).values(**waiting))
    if row["state"] == JobState.FAILED:
        batch.tally.retry_failed(1)
    else:
        batch.tally.retry_cancelled()
    return 1


def _resend_generation(connection: Connection, which: sa.ColumnElement[bool], now: float) -> list[tuple[Work, int]]:
    """What is with generators, to be said once more: their queue may have been emptied meanwhile."""
    queued = sa.and_(which, jobs.c.state.in_(IN_FLIGHT_JOB_STATES), jobs.c.stage == JobStage.GENERATOR)
    connection.execute(sa.update(jobs).where(queued).values(resends=jobs.c.resends + 1, updated_at=now))
    found = connection.execute(sa.select(jobs.c.message, jobs.c.resends).where(queued)).all()
    return [(work, count) for work, count in ((decode_work(m), n) for m, n in found) if isinstance(work, GenerateImage)]


def _change_state(connection: Connection, batch: Batch, state: BatchState, following: BatchState, now: float) -> None:
    changed = connection.execute(
        sa.update(batches)
        .where(batches.c.hash == batch.hash, batches.c.state == state)
        .values(state=following, updated_at=now)
    ).rowcount
    if changed != 1:
        raise wrong_state(batch, f"a batch that is {batch.state}")
    batch.state = following


def _job_row(connection: Connection, batch: Batch, index: int) -> sa.RowMapping | None:
    found = sa.select(jobs).where(jobs.c.hash == batch.hash, jobs.c.index == index)
    return connection.execute(found).mappings().first()


def _cancelled_values(now: float) -> dict[str, Any]:
    """Columns of a picture that is cancelled here and now."""
    outcome = _encode(Outcome(error=_CANCELLED, finished_at=now))
    return {"state": JobState.CANCELLED, "stage": JobStage.DONE, "outcome": outcome, "updated_at": now}
