"""Pictures that are unlike the others of their batch are made again, one attempt each in a round.

A round begins when every picture has ended, and is decided from the ledger alone. The file of a picture stays until a
nearer one is stored in its place; where none is, the picture is completed as before. The next round compares anew,
until nothing is unlike the others or attempts are used up.
"""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import decode_outcome, decode_work
from agents.planner.ledger.states import ACTIVE_BATCH_STATES, JobStage, JobState
from agents.planner.ledger.tables import attempts, jobs
from agents.planner.ledger.unit_of_work import JobRow, UnitOfWork
from agents.planner.planning.consistency import FiledPicture, compare, next_attempt
from protocol.ids import image_id
from protocol.messages import JobRef, StoreImage

_encode = msgspec.json.encode

_MADE = (
    sa.select(sa.func.max(attempts.c.attempt))
    .where(attempts.c.hash == jobs.c.hash, attempts.c.index == jobs.c.index)
    .correlate(jobs)
    .scalar_subquery()
)
_COMPLETED = (
    sa.select(jobs.c.index, jobs.c.attempt, jobs.c.message, jobs.c.outcome, _MADE.label("made"))
    .where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state == JobState.COMPLETED)
    .order_by(jobs.c.index)
)
_WAITING = sa.select(jobs.c.index, jobs.c.attempt).where(
    jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state == JobState.WAITING
)


def begin_round(books: UnitOfWork, batch: Batch, now: float) -> None:
    """Where every picture of a batch has ended: take up those that are unlike the others and have an attempt left. One
    that has none is marked, and so is one whose mark no longer holds."""
    bound, tally = batch.least_likeness, batch.tally
    ended = tally.is_finished and not tally.stopped and batch.state in ACTIVE_BATCH_STATES
    if not bound or not ended or not tally.embedded:
        return
    rows = books.flush(now).execute(_COMPLETED, {"of_hash": batch.hash}).mappings().all()
    filed = {row["index"]: _filed_picture(batch, row) for row in rows}
    found = compare(list(filed.values()), bound)
    tally.begin_round(found.centre)
    refs = [
        job_ref(batch, row["index"], row["attempt"])
        for row in rows
        if row["index"] in found.outliers or decode_outcome(row["outcome"]).inconsistent is not None
    ]
    books.preload(refs)
    for ref in refs:
        row = books.current_job(ref)
        assert row is not None, "another writer was let in"
        _mark(books, batch, row, found.outliers.get(ref.index), filed[ref.index].next_attempt, now)


def _mark(books: UnitOfWork, batch: Batch, row: JobRow, found: float | None, following: int | None, now: float) -> None:
    """Note the likeness of an outlier, and take it up for the attempt that follows, if any."""
    work = decode_work(row.message)
    marked = msgspec.structs.replace(decode_outcome(row.outcome), inconsistent=found)
    if found is None or following is None or not isinstance(work, StoreImage):
        books.change_job(row, now, outcome=_encode(marked))
        return
    books.note("picture_inconsistent", batch, row.index, now, attempt=row.attempt, likeness=found)
    reused, assessment = work.reused is not None, work.assessment
    batch.tally.take_up_completed(reused=reused, score=assessment.score, embedding=assessment.embedding)
    outcome = _encode(msgspec.structs.replace(marked, standing=work))
    books.change_job(row, now, state=JobState.WAITING, stage=JobStage.QUEUE, attempt=following, outcome=outcome)


def leave_standing(
    books: UnitOfWork, batch: Batch, row: JobRow, standing: StoreImage, now: float, *, final: bool = False
) -> None:
    """Another attempt at a filed picture came to nothing: it is completed as it was, for good where that is `final` or
    the client cancelled the attempt."""
    final = final or row.state == JobState.CANCELLING
    if row.state == JobState.WAITING:
        batch.tally.hand_out_waiting(1)
    batch.tally.complete(
        reused=standing.reused is not None,
        score=standing.assessment.score,
        embedding=standing.assessment.embedding,
    )
    outcome = msgspec.structs.replace(decode_outcome(row.outcome), standing=None, final=final)
    books.change_job(
        row,
        now,
        state=JobState.COMPLETED,
        stage=JobStage.DONE,
        attempt=standing.job.attempt,
        message=_encode(standing),
        outcome=_encode(outcome),
        resends=0,
    )


def leave_waiting_standing(connection: Connection, batch: Batch, now: float, index: int | None = None) -> bool:
    """Filed pictures that wait for another attempt are completed as they were: all of a batch, or the one of an index.
    Whether there was any."""
    if batch.least_likeness is None:
        return False
    books = UnitOfWork(connection)
    books.register_batch(batch)
    rows = connection.execute(_WAITING, {"of_hash": batch.hash}).all()
    refs = [job_ref(batch, at, attempt) for at, attempt in rows if index is None or at == index]
    books.preload(refs)
    left = False
    for ref in refs:
        row = books.current_job(ref)
        if row is not None and (standing := standing_of(row)) is not None:
            leave_standing(books, batch, row, standing, now, final=True)
            left = True
    books.write_changes(now)
    return left


def standing_of(row: JobRow) -> StoreImage | None:
    """How the picture was filed to which another attempt is made; null for every other one."""
    return decode_outcome(row.outcome).standing


def job_ref(batch: Batch, index: int, attempt: int) -> JobRef:
    """The reference by which the ledger finds a job."""
    return JobRef(
        hash=batch.hash,
        client_id=batch.client_id,
        index=index,
        attempt=attempt,
        image_id=image_id(batch.hash, index),
    )


def _filed_picture(batch: Batch, row: sa.RowMapping) -> FiledPicture:
    """A completed picture; what was there before the batch ended an earlier time stays."""
    work, outcome = decode_work(row["message"]), decode_outcome(row["outcome"])
    judged = work.assessment if isinstance(work, StoreImage) else None
    closed = batch.tally.closed_at is not None and (outcome.finished_at or 0.0) <= batch.tally.closed_at
    following = None if closed or outcome.final else next_attempt(row["made"], batch.recipe.max_attempts)
    if judged is None:
        return FiledPicture(row["index"], None, following)
    return FiledPicture(row["index"], judged.embedding, following, judged.reference or None)
