"""Whether the ledger still waits for some work. It is asked before a dead letter is sent again, so that an attempt that
is over does not occupy a device a second time."""

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch, load_batch
from agents.planner.ledger.records import decode_work
from agents.planner.ledger.states import ACTIVE_BATCH_STATES, JobStage, JobState
from agents.planner.ledger.tables import jobs
from agents.planner.scheduling.work_messages import contact_sheet_request, prompts_request
from protocol import subjects
from protocol.messages import Work
from protocol.operator import FindWork
from protocol.replies import WorkBody, WorkReply


def find_work(connection: Connection, command: FindWork) -> WorkReply:
    """Expected is what the planner would say again now."""
    reason = _reason_not_expected(connection, command)
    return WorkReply(work=WorkBody(expected=reason is None, reason=reason))


def _reason_not_expected(connection: Connection, command: FindWork) -> str | None:
    """Why the work is not expected; null where it is."""
    batch = load_batch(connection, command.hash)
    if batch is None:
        return f"there is no batch {command.hash}"
    if command.index is not None:
        return _reason_picture_not_expected(connection, batch, command.index, command.subject)
    if command.subject in {subjects.subject_of(work) for work in _batch_work(batch)}:
        return None
    return f"the batch {batch.hash} is {batch.state} and does not wait for this"


def _reason_picture_not_expected(connection: Connection, batch: Batch, index: int, subject: str) -> str | None:
    found = sa.select(jobs).where(jobs.c.hash == batch.hash, jobs.c.index == index)
    row = connection.execute(found).mappings().first()
    if row is None:
        return f"picture {index} of {batch.hash} has not begun"
    name = f"picture {index} of {batch.hash}"
    if row["stage"] == JobStage.DONE:
        again = (
            f"; to try it again: bottega retry {batch.hash} --image {index}" if row["state"] == JobState.FAILED else ""
        )
        return f"{name} has ended: it is {row['state']}{again}"
    if row["state"] == JobState.RUNNING and subjects.subject_of(decode_work(row["message"])) == subject:
        return None
    return f"{name} has gone on: attempt {row['attempt']} is {row['state']}, at {row['stage']}"


def _batch_work(batch: Batch) -> list[Work]:
    """The work of a batch that is no single picture's."""
    if batch.state in ACTIVE_BATCH_STATES:
        return [prompts_request(batch)] if batch.parent is None and batch.tally.asked > batch.written else []
    return [contact_sheet_request(batch)] if batch.contact_sheet is None else []
