"""Hands out pictures: a picture gets its row and its work when it gets a place in flight, so that a plan costs only a
row and a cursor."""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.audit import note
from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import PROMPTS_DECODER, Evidence, Outcome, decode_jobs, decode_outcome
from agents.planner.ledger.states import (
    ACTIVE_BATCH_STATES,
    PROMPTS_PER_PAGE,
    AttemptState,
    BatchState,
    JobStage,
    JobState,
)
from agents.planner.ledger.tables import jobs, prompt_pages
from agents.planner.ledger.unit_of_work import UnitOfWork
from agents.planner.money.charges import count_unpaid
from agents.planner.money.reservations import settle_reservation
from agents.planner.outbox.change import Change
from agents.planner.planning.pricing import BUDGET_USED_UP, affordable_attempts
from agents.planner.scheduling.consistency_round import begin_round, leave_waiting_standing
from agents.planner.scheduling.reuse import first_work
from agents.planner.scheduling.upgrade import write_originals
from agents.planner.scheduling.window import BatchDemand, Window
from agents.planner.scheduling.work_messages import contact_sheet_request, job_of_attempt, prompts_request
from protocol.errors import ErrorBody
from protocol.messages import (
    GenerateImage,
    Job,
    StoreImage,
    Work,
    ref_of,
)

_encode = msgspec.json.encode

_AHEAD = sa.select(jobs.c.index).where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.index >= sa.bindparam("of_index"))
_WAITING = (
    sa.select(jobs.c.index, jobs.c.attempt, jobs.c.outcome)
    .where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state == JobState.WAITING)
    .order_by(jobs.c.index)
    .limit(sa.bindparam("of_count"))
)

_QUEUED = (
    sa.select(sa.func.count())
    .select_from(jobs)
    .where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state == JobState.RUNNING, jobs.c.stage == JobStage.GENERATOR)
)


def no_change(batch: Batch, *, finished: bool = False) -> Change:
    """Where a batch stands, when nothing changed in it."""
    return Change(status=batch.status, revision=batch.tally.revision, client_id=batch.client_id, finished=finished)


def demand_of(batch: Batch, now: float) -> BatchDemand:
    """A batch as the window sees it. A paused one holds no place: what is queued for it was taken back."""
    return BatchDemand(
        hash=batch.hash,
        client=batch.client_id,
        platform=batch.recipe.platform,
        priority=batch.priority,
        ready=count_ready(batch, now),
        in_flight=0 if batch.state == BatchState.PAUSED else batch.tally.in_flight,
    )


def count_ready(batch: Batch, now: float) -> int:
    """Pictures that could be handed out now, as far as the batch's budget pays for them."""
    if batch.state != BatchState.RUNNING or (batch.not_before is not None and batch.not_before > now):
        return 0
    ready = count_fresh(batch.cursor, batch.written, batch.quantity) + batch.tally.waiting
    affordable = count_affordable(batch, batch.tally.in_flight)
    return ready if affordable is None else min(ready, affordable)


def count_affordable(batch: Batch, in_flight: int = 0) -> int | None:
    """How many attempts the budget of a batch pays beside those in flight; null where it has none that bounds them."""
    tally = batch.tally
    return affordable_attempts(
        batch.command.budget, batch.recipe.highest_micros, tally.cost_micros, tally.costed, in_flight
    )


def pays_another_attempt(books: UnitOfWork, batch: Batch, index: int, now: float) -> bool:
    """Whether the budget of a batch pays another attempt at a picture in flight, beside those at others that are not
    paid yet. Jobs are to be read anew after it."""
    affordable = count_affordable(batch)
    if affordable is None or affordable >= batch.tally.in_flight:  # enough, whatever of them is paid
        return True
    return affordable > 0 and affordable > count_unpaid(books.flush(now), batch.hash, besides=index)


def cancel_unstarted(connection: Connection, batch: Batch, error: ErrorBody, now: float) -> None:
    """End every picture that was not handed out, or waits for another attempt."""
    batch.tally.cancel_rest(batch.cursor)
    batch.cursor = batch.quantity
    leave_waiting_standing(connection, batch, now)
    if batch.tally.waiting:
        waiting = sa.update(jobs).where(jobs.c.hash == batch.hash, jobs.c.state == JobState.WAITING)
        outcome = _encode(Outcome(error=error, finished_at=now))
        ended = {"state": JobState.CANCELLED, "stage": JobStage.DONE, "outcome": outcome, "updated_at": now}
        batch.tally.cancel_all_waiting(connection.execute(waiting.values(**ended)).rowcount)


def count_fresh(cursor: int, written: int, quantity: int) -> int:
    """Pictures whose prompt is written and whose turn has not come."""
    return max(0, min(written, quantity) - cursor)


def advance(connection: Connection, batch: Batch, window: Window, now: float) -> Change:
    """Give the free places of a batch's platform to those whose turn it is, ask for further prompts of the batch, or
    end it; what changed is written."""
    books = UnitOfWork(connection)
    books.register_batch(batch)
    change = hand_out_and_settle(books, batch, window, now)
    books.write_changes(now)
    return change


def hand_out_and_settle(books: UnitOfWork, batch: Batch, window: Window, now: float) -> Change:
    """`advance`, in a transaction's unit of work."""
    change = Change(client_id=batch.client_id)
    begin_round(books, batch, now)
    change.work += _request_prompts(books, batch, window, now)
    window.update(demand_of(batch, now), now)
    fill_window(books, batch.recipe.platform, window, now, change, batch)
    return settle_batch(books, batch, change, now)


def fill_window(
    books: UnitOfWork, platform: str, window: Window, now: float, change: Change, mine: Batch | None = None
) -> None:
    """Give the free places of a platform away. Batches are settled, but for `mine`, which its transition settles."""
    while granted := window.grant(platform, now):
        for name, count in granted.items():
            if mine is not None and name == mine.hash:
                change.work += _hand_out(books, mine, count, window, now)
            elif other := books.find_batch(name):
                change.work += _hand_out(books, other, count, window, now)
                change.other_changes.append(settle_batch(books, other, Change(client_id=other.client_id), now))
            else:
                window.forget(name, now)


def _hand_out(books: UnitOfWork, batch: Batch, count: int, window: Window, now: float) -> list[Work]:
    """The work of the next pictures of a batch, at most `count`, and the prompts that are wanted after them. Those that
    wait for another attempt go first."""
    count = min(count, count_ready(batch, now))
    work = _hand_out_waiting(books, batch, count, now) if count and batch.tally.waiting else []
    fresh = [_first_work(books, batch, index) for index in _next_indices(books, batch, count - len(work), now)]
    if fresh:
        books.add_jobs([_job_values(first, now) for first in fresh])
        books.add_attempts([first.job for first in fresh])
        for first in fresh:
            if isinstance(first, StoreImage):
                _add_reused_attempt(books, first)
    work += fresh
    batch.tally.hand_out(len(fresh))
    wanted = _request_prompts(books, batch, window, now)
    window.update(demand_of(batch, now), now)
    return work + wanted


def _first_work(books: UnitOfWork, batch: Batch, index: int) -> GenerateImage | StoreImage:
    stored = books.stored_picture(batch.hash, index) if batch.parent is None else None
    return first_work(job_of_attempt(books, batch, index, attempt=1), stored)


def _add_reused_attempt(books: UnitOfWork, work: StoreImage) -> None:
    """The attempt of a picture that is there already: it was judged before, and costs nothing."""
    assessment = msgspec.structs.replace(work.assessment, embedding=None)
    evidence = Evidence(job=work.job, picture=work.picture, assessment=assessment)
    books.change_attempt(
        ref_of(work.job), state=AttemptState.ACCEPTED, score=assessment.score, cost_micros=0, evidence=_encode(evidence)
    )


def _next_indices(books: UnitOfWork, batch: Batch, count: int, now: float) -> list[int]:
    """The next indices; the cursor passes over pictures that ended before their turn."""
    indices: list[int] = []
    ended = set[int]()
    if batch.tally.ahead:
        passed = {"of_hash": batch.hash, "of_index": batch.cursor}
        ended = set(books.flush(now).execute(_AHEAD, passed).scalars())
    while len(indices) < count and batch.cursor < min(batch.written, batch.quantity):
        if batch.cursor in ended:
            batch.tally.pass_over()
        else:
            indices.append(batch.cursor)
        batch.cursor += 1
    return indices


def _hand_out_waiting(books: UnitOfWork, batch: Batch, count: int, now: float) -> list[Work]:
    """Attempts of pictures that wait for one, after a retry or a pause, or because they are unlike the others."""
    rows = books.flush(now).execute(_WAITING, {"of_hash": batch.hash, "of_count": count}).all()
    work: list[Work] = []
    made = [_waiting_job(books, batch, index, attempt, outcome) for index, attempt, outcome in rows]
    books.preload(ref_of(job) for job in made)
    for job in made:
        row = books.current_job(ref_of(job))
        assert row is not None
        books.change_job(
            row,
            now,
            state=JobState.RUNNING,
            stage=JobStage.GENERATOR,
            message=_encode(GenerateImage(job=job)),
            resends=0,
        )
        work.append(GenerateImage(job=job))
    books.add_attempts(made)
    batch.tally.hand_out_waiting(len(rows))
    return work


def _waiting_job(books: UnitOfWork, batch: Batch, index: int, attempt: int, outcome: bytes | None) -> Job:
    job = job_of_attempt(books, batch, index, attempt)
    standing = decode_outcome(outcome).standing
    return job if standing is None else msgspec.structs.replace(job, replaces=standing.job.attempt)


def _request_prompts(books: UnitOfWork, batch: Batch, window: Window, now: float) -> list[Work]:
    """The request for the next page of prompts, once. An upgrade has the prompts of its parent."""
    if batch.state != BatchState.RUNNING or not wants_prompts(batch, window) or batch.tally.asked > batch.written:
        return []
    if batch.parent is not None:
        write_originals(books.connection, batch, PROMPTS_PER_PAGE, now)
        return []
    batch.tally.ask_prompts(batch.written)
    return [prompts_request(batch)]


def wants_prompts(batch: Batch, window: Window) -> bool:
    """Whether the next page is needed; a cancelled batch has its cursor at the end and needs none."""
    return batch.cursor < batch.quantity and batch.written < min(batch.quantity, batch.cursor + window.bound)


def _job_values(work: GenerateImage | StoreImage, now: float) -> dict[str, object]:
    return {
        "hash": work.job.hash,
        "index": work.job.index,
        "state": JobState.RUNNING,
        "stage": JobStage.STORAGE if isinstance(work, StoreImage) else JobStage.GENERATOR,
        "attempt": work.job.attempt,
        "message": _encode(work),
        "resends": 0,
        "updated_at": now,
        "parent": work.job.parent,
        "reused": work.reused if isinstance(work, StoreImage) else None,
    }


def first_prompts(connection: Connection, batch: Batch) -> list[str]:
    """The texts of the first page of a batch's prompts; empty before they are written."""
    page = connection.execute(
        sa.select(prompt_pages.c.prompts).where(prompt_pages.c.hash == batch.hash, prompt_pages.c.first == 0)
    ).scalar_one_or_none()
    if page is None:
        return []
    if batch.parent is not None:
        return [job.pixels.prompt for job in decode_jobs(page)]
    return [prompt.text for prompt in PROMPTS_DECODER.decode(page)]


def settle_batch(books: UnitOfWork, batch: Batch, change: Change, now: float) -> Change:
    """Save a changed batch and say where it stands; where its last picture is terminal, end it and ask for its
    contact sheet."""
    if _is_budget_used_up(batch):
        note(books.flush(now), "budget_used_up", batch.client_id, now, batch.hash, micros=batch.tally.cost_micros)
        batch.tally.use_up_budget()
        cancel_unstarted(books.connection, batch, BUDGET_USED_UP, now)
    change.finished = batch.tally.is_finished
    if batch.tally.is_finished and batch.state in ACTIVE_BATCH_STATES:
        batch.state = BatchState.CANCELLED if batch.tally.stopped and batch.tally.cancelled else BatchState.COMPLETED
        if batch.least_likeness is not None:
            batch.tally.close(now)
        if batch.tally.completed:
            change.work.append(contact_sheet_request(batch))
        else:
            batch.contact_sheet = ""
        counts = {"completed": batch.tally.completed, "failed": batch.tally.failed, "cancelled": batch.tally.cancelled}
        note(books.flush(now), batch.shown_state, batch.client_id, now, batch.hash, **counts)
    settle_reservation(books.connection, batch, now)
    batch.tally.next_status(_count_taken_back(books, batch, now) if batch.state == BatchState.PAUSED else 0)
    change.status, change.revision = batch.status, batch.tally.revision
    books.mark_changed(batch)
    return change


def _is_budget_used_up(batch: Batch) -> bool:
    """Whether pictures are left that the budget does not pay, and none is in flight that could free money."""
    tally = batch.tally
    unended = batch.state == BatchState.RUNNING and not tally.is_finished and not tally.in_flight
    return unended and count_affordable(batch) == 0


def _count_taken_back(books: UnitOfWork, batch: Batch, now: float) -> int:
    """Pictures of a paused batch that wait for a generator once more."""
    return books.flush(now).execute(_QUEUED, {"of_hash": batch.hash}).scalar_one()
