"""Handing out: pictures get their rows and their work when a place in flight is theirs, so that a plan costs a row and
a cursor."""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.audit import note
from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import JOBS, PROMPTS, Evidence
from agents.planner.ledger.states import ACTIVE, PROMPT_PAGE
from agents.planner.ledger.tables import jobs, prompt_pages
from agents.planner.ledger.unit_of_work import Books
from agents.planner.money.reservations import follow
from agents.planner.outbox.change import Change
from agents.planner.scheduling.reuse import first_work
from agents.planner.scheduling.upgrade import write_originals
from agents.planner.scheduling.window import Standing, Window
from agents.planner.scheduling.work_messages import job_for, sheet_of, write_prompts
from protocol.messages import (
    GenerateImage,
    Prompt,
    StoreImage,
    Work,
    ref_of,
)

_encode = msgspec.json.encode

_AHEAD = sa.select(jobs.c.index).where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.index >= sa.bindparam("of_index"))
_WAITING = (
    sa.select(jobs.c.index, jobs.c.attempt)
    .where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state == "waiting")
    .order_by(jobs.c.index)
    .limit(sa.bindparam("of_count"))
)

_QUEUED = (
    sa.select(sa.func.count())
    .select_from(jobs)
    .where(jobs.c.hash == sa.bindparam("of_hash"), jobs.c.state == "running", jobs.c.stage == "generator")
)


def unchanged(batch: Batch, *, finished: bool = False) -> Change:
    """Where a batch stands, when nothing changed in it."""
    return Change(status=batch.status, revision=batch.tally.revision, client_id=batch.client_id, finished=finished)


def standing_of(batch: Batch, now: float) -> Standing:
    """A batch as the window sees it. A paused one holds no place: what is queued for it was taken back."""
    return Standing(
        hash=batch.hash,
        client=batch.client_id,
        platform=batch.recipe.platform,
        priority=batch.priority,
        ready=ready_in(batch, now),
        in_flight=0 if batch.state == "paused" else batch.tally.in_flight,
    )


def ready_in(batch: Batch, now: float) -> int:
    """Pictures that could be handed out now."""
    if batch.state != "running" or (batch.not_before is not None and batch.not_before > now):
        return 0
    return ready_among(batch.cursor, batch.written, batch.quantity) + batch.tally.waiting


def ready_among(cursor: int, written: int, quantity: int) -> int:
    """Pictures whose prompt is written and whose turn has not come."""
    return max(0, min(written, quantity) - cursor)


def advance(connection: Connection, batch: Batch, window: Window, now: float) -> Change:
    """Give the free places of a batch's platform to those whose turn it is, ask for further prompts of the batch, or
    end it; what changed is written."""
    books = Books(connection)
    books.keep(batch)
    change = go_on(books, batch, window, now)
    books.write(now)
    return change


def go_on(books: Books, batch: Batch, window: Window, now: float) -> Change:
    """`advance`, in a transaction's books."""
    change = Change(client_id=batch.client_id)
    change.send += _wanted(books, batch, window, now)
    window.see(standing_of(batch, now), now)
    fill(books, batch.recipe.platform, window, now, change, batch)
    return settle(books, batch, change, now)


def fill(books: Books, platform: str, window: Window, now: float, change: Change, mine: Batch | None = None) -> None:
    """Give the free places of a platform away. Batches are settled, but for `mine`, which its transition settles."""
    while granted := window.grants(platform, now):
        for name, count in granted.items():
            if mine is not None and name == mine.hash:
                change.send += _hand_out(books, mine, count, window, now)
            elif other := books.batch(name):
                change.send += _hand_out(books, other, count, window, now)
                change.others.append(settle(books, other, Change(client_id=other.client_id), now))
            else:
                window.forget(name, now)


def _hand_out(books: Books, batch: Batch, count: int, window: Window, now: float) -> list[Work]:
    """The work of the next pictures of a batch, at most `count`, and the prompts that are wanted after them. Those that
    wait for another attempt go first."""
    count = min(count, ready_in(batch, now))
    work = _waiting(books, batch, count, now) if count and batch.tally.waiting else []
    fresh = [_first_work(books, batch, index) for index in _fresh(books, batch, count - len(work), now)]
    if fresh:
        books.add_jobs([_job_values(first, now) for first in fresh])
        books.open_attempts([first.job for first in fresh])
        for first in fresh:
            if isinstance(first, StoreImage):
                _note_reused(books, first)
    work += fresh
    batch.tally.in_flight += len(work)
    wanted = _wanted(books, batch, window, now)
    window.see(standing_of(batch, now), now)
    return work + wanted


def _first_work(books: Books, batch: Batch, index: int) -> GenerateImage | StoreImage:
    stored = books.stored(batch.hash, index) if batch.parent is None else None
    return first_work(job_for(books, batch, index, attempt=1), stored)


def _note_reused(books: Books, work: StoreImage) -> None:
    """The attempt of a picture that is there already: it was judged before, and costs nothing."""
    assessment = msgspec.structs.replace(work.assessment, embedding=None)
    evidence = Evidence(job=work.job, picture=work.picture, assessment=assessment)
    books.set_attempt(
        ref_of(work.job), state="accepted", score=assessment.score, cost_micros=0, evidence=_encode(evidence)
    )


def _fresh(books: Books, batch: Batch, count: int, now: float) -> list[int]:
    """The next indices; the cursor passes over pictures that ended before their turn."""
    indices: list[int] = []
    ended = set[int]()
    if batch.tally.ahead:
        passed = {"of_hash": batch.hash, "of_index": batch.cursor}
        ended = set(books.written(now).execute(_AHEAD, passed).scalars())
    while len(indices) < count and batch.cursor < min(batch.written, batch.quantity):
        if batch.cursor in ended:
            batch.tally.ahead -= 1
        else:
            indices.append(batch.cursor)
        batch.cursor += 1
    return indices


def _waiting(books: Books, batch: Batch, count: int, now: float) -> list[Work]:
    """Attempts of pictures that wait for one, after a retry or a pause."""
    rows = books.written(now).execute(_WAITING, {"of_hash": batch.hash, "of_count": count}).all()
    work: list[Work] = []
    made = [job_for(books, batch, index, attempt) for index, attempt in rows]
    books.foresee(ref_of(job) for job in made)
    for job in made:
        row = books.job(ref_of(job))
        assert row is not None
        books.set_job(row, now, state="running", stage="generator", message=_encode(GenerateImage(job=job)), resends=0)
        work.append(GenerateImage(job=job))
    books.open_attempts(made)
    batch.tally.waiting = batch.tally.waiting - len(rows) if rows else 0
    return work


def _wanted(books: Books, batch: Batch, window: Window, now: float) -> list[Work]:
    """The request for the next page of prompts, once. An upgrade has the prompts of its parent."""
    if batch.state != "running" or not wants_prompts(batch, window) or batch.tally.asked > batch.written:
        return []
    if batch.parent is not None:
        write_originals(books.connection, batch, PROMPT_PAGE, now)
        return []
    batch.tally.asked = batch.written + 1
    return [write_prompts(batch)]


def wants_prompts(batch: Batch, window: Window) -> bool:
    """Whether the next page is needed; a cancelled batch has its cursor at the end and needs none."""
    return batch.cursor < batch.quantity and batch.written < min(batch.quantity, batch.cursor + window.bound)


def _job_values(work: GenerateImage | StoreImage, now: float) -> dict[str, object]:
    return {
        "hash": work.job.hash,
        "index": work.job.index,
        "state": "running",
        "stage": "storage" if isinstance(work, StoreImage) else "generator",
        "attempt": work.job.attempt,
        "message": _encode(work),
        "resends": 0,
        "updated_at": now,
        "parent": work.job.parent,
        "reused": work.reused if isinstance(work, StoreImage) else None,
    }


def first_prompts(connection: Connection, batch: Batch) -> list[Prompt]:
    """The first page of a batch's prompts; empty before they are written."""
    page = connection.execute(
        sa.select(prompt_pages.c.prompts).where(prompt_pages.c.hash == batch.hash, prompt_pages.c.first == 0)
    ).scalar_one_or_none()
    if page is None:
        return []
    return [job.prompt for job in JOBS.decode(page)] if batch.parent else PROMPTS.decode(page)


def settle(books: Books, batch: Batch, change: Change, now: float) -> Change:
    """Save a changed batch and say where it stands; where its last picture is terminal, end it and ask for its
    contact sheet."""
    change.finished = batch.tally.finished
    if batch.tally.finished and batch.state in ACTIVE:
        batch.state = "cancelled" if batch.tally.stopped and batch.tally.cancelled else "completed"
        if batch.tally.completed:
            change.send.append(sheet_of(batch))
        else:
            batch.contact_sheet = ""
        counts = {"completed": batch.tally.completed, "failed": batch.tally.failed, "cancelled": batch.tally.cancelled}
        note(books.written(now), batch.state, batch.client_id, now, batch.hash, **counts)
    follow(books.connection, batch, now)
    batch.tally.taken_back = _taken_back(books, batch, now) if batch.state == "paused" else 0
    batch.tally.revision += 1
    change.status, change.revision = batch.status, batch.tally.revision
    books.save(batch)
    return change


def _taken_back(books: Books, batch: Batch, now: float) -> int:
    """Pictures of a paused batch that wait for a generator once more."""
    return books.written(now).execute(_QUEUED, {"of_hash": batch.hash}).scalar_one()
