"""What got lost: work in flight that nothing was heard of is sent again, and batches that stand still go on."""

from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.events import job_cancelled
from agents.planner.rows import WORK, decode_batch, touch
from agents.planner.tables import batches, jobs
from agents.planner.window import Change, advance, wants_prompts, write_prompts
from protocol.messages import GenerateImage, JobCancelled, MakeContactSheet, Work, ref_of

AT_ONCE = 1000
"""Rows looked at in one round."""


@dataclass
class Overdue:
    """Work to send again, each with a number that no earlier resend had, and changes of batches that stood still."""

    again: list[tuple[Work, int]] = field(default_factory=list[tuple[Work, int]])
    changes: list[Change] = field(default_factory=list[Change])


def overdue(connection: Connection, now: float, stale_s: float, window: int) -> Overdue:
    """Everything that nothing was heard of for `stale_s` seconds."""
    found = Overdue()
    _jobs(connection, now, now - stale_s, window, found)
    _batches(connection, now, now - stale_s, window, found)
    _contact_sheets(connection, now, now - stale_s, found)
    return found


def _jobs(connection: Connection, now: float, before: float, window: int, found: Overdue) -> None:
    """A job of a cancelled batch that no generator answered for is cancelled here."""
    stale = sa.select(jobs).where(jobs.c.state.in_(("running", "cancelling")), jobs.c.updated_at < before)
    for row in connection.execute(stale.limit(AT_ONCE)).mappings().all():
        work = WORK.decode(row["message"])
        if row["state"] == "cancelling" and isinstance(work, GenerateImage):
            found.changes.append(job_cancelled(connection, JobCancelled(ref=ref_of(work.job)), window, now))
            continue
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.hash == row["hash"], jobs.c.index == row["index"])
            .values(resends=row["resends"] + 1, updated_at=now)
        )
        found.again.append((work, row["resends"] + 1))


def _batches(connection: Connection, now: float, before: float, window: int, found: Overdue) -> None:
    quiet = sa.select(batches).where(batches.c.state.in_(("running", "held")), batches.c.updated_at < before)
    for row in connection.execute(quiet.limit(AT_ONCE)).mappings().all():
        batch = decode_batch(row)
        touch(connection, batch.hash, now)
        if wants_prompts(batch, window):
            found.again.append((write_prompts(batch), int(now)))
        if batch.state == "running":
            found.changes.append(advance(connection, batch.hash, window, now))


def _contact_sheets(connection: Connection, now: float, before: float, found: Overdue) -> None:
    missing = sa.select(batches).where(
        batches.c.state.in_(("completed", "cancelled")),
        batches.c.contact_sheet.is_(None),
        batches.c.cursor > 0,
        batches.c.updated_at < before,
    )
    for row in connection.execute(missing.limit(AT_ONCE)).mappings().all():
        batch = decode_batch(row)
        if batch.tally.completed:
            touch(connection, batch.hash, now)
            found.again.append((MakeContactSheet(hash=batch.hash, client_id=batch.client_id), int(now)))
