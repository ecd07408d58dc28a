"""Transitions of the ledger: each runs inside one transaction of the writer and says what follows from it.

Every change of a job is one conditional update that names the state, stage and attempt it leaves. An event that
arrives twice changes nothing and is answered with what is still outstanding of its batch, because the process may
have died between its commit and its messages; the broker drops what is already queued.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.attempts import Candidate, Decision, after_failure, after_rejection, seed_of
from agents.planner.recipe import Recipe
from agents.planner.tables import Evidence, Outcome, attempts, batches, commands, jobs, prompt_pages
from agents.planner.tally import Tally, add_embedding, status_of
from protocol.commands import GenerateImages
from protocol.errors import ErrorBody, Refused, Unavailable
from protocol.ids import image_id
from protocol.messages import (
    ContactSheetMade,
    GenerateImage,
    ImageGenerated,
    ImageScored,
    ImageStored,
    Job,
    JobCancelled,
    JobFailed,
    JobRef,
    MakeContactSheet,
    Prompt,
    PromptsFailed,
    PromptsWritten,
    ScoreImage,
    StoreImage,
    Work,
    WritePrompts,
)
from protocol.replies import GenerationStatus

PROMPT_PAGE = 100
"""Prompts asked for at once; a page of the longest prompts stays below the broker's 1 MB."""

_encode = msgspec.json.encode
_work = msgspec.json.Decoder(Work)
_prompts = msgspec.json.Decoder(list[Prompt])


@dataclass
class Change:
    """What follows from a transition: work to send, the status after it, whether the batch ended."""

    send: list[Work] = field(default_factory=list[Work])
    status: GenerationStatus | None = None
    client_id: str = ""
    finished: bool = False


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


def accept(
    connection: Connection, batch: Batch, command_id: str | None, payload: str, now: float
) -> tuple[Batch, Change]:
    """Commit a new plan, or find the one that this command id already made.

    Raises:
        Refused: `command_conflict` where the id was used for another payload.
    """
    if command_id is not None:
        known = connection.execute(
            sa.select(commands.c.payload, commands.c.hash).where(
                commands.c.client_id == batch.client_id, commands.c.command_id == command_id
            )
        ).first()
        if known is not None:
            if known.payload != payload:
                raise Refused(
                    "command_conflict",
                    f"command_id {command_id!r} was used for another command",
                    path="$.command_id",
                    hint="give every new command an id of its own",
                )
            first = load_batch(connection, known.hash)
            if first is not None:
                return first, Change(client_id=first.client_id)
    connection.execute(
        sa.insert(batches).values(
            hash=batch.hash,
            client_id=batch.client_id,
            state=batch.state,
            command=_encode(batch.command),
            recipe=_encode(batch.recipe),
            seed=batch.seed,
            quantity=batch.quantity,
            cursor=batch.cursor,
            written=batch.written,
            tally=_encode(batch.tally),
            approval=batch.approval,
            expires_at=batch.expires_at,
            created_at=batch.created_at,
            updated_at=now,
        )
    )
    if command_id is not None:
        connection.execute(
            sa.insert(commands).values(
                client_id=batch.client_id, command_id=command_id, payload=payload, hash=batch.hash, created_at=now
            )
        )
    return batch, Change([write_prompts(batch)], batch.status, batch.client_id)


def write_prompts(batch: Batch) -> WritePrompts:
    """The request for the next page of prompts."""
    command, recipe = batch.command, batch.recipe
    return WritePrompts(
        hash=batch.hash,
        client_id=batch.client_id,
        first=batch.written,
        count=min(PROMPT_PAGE, batch.quantity - batch.written),
        seed=batch.seed,
        style=recipe.style,
        style_reference=recipe.style_reference,
        brief=command.brief,
        subjects=command.subjects,
        prompts=command.prompts,
        negative_prompt=command.negative_prompt,
        negative_supported=recipe.negative_supported,
        platform=recipe.platform,
    )


def approve(connection: Connection, batch: Batch, window: int, now: float) -> Change:
    """Start a held plan.

    Raises:
        Refused: `wrong_state` where it is not held any more.
    """
    changed = connection.execute(
        sa.update(batches)
        .where(batches.c.hash == batch.hash, batches.c.state == "held")
        .values(state="running", updated_at=now)
    ).rowcount
    if changed != 1:
        raise Refused("wrong_state", f"the batch {batch.hash} is not held", path="$.hash", hint="ask for its STATUS")
    return _advance(connection, batch.hash, window, now)


def prompts_written(connection: Connection, event: PromptsWritten, window: int, now: float) -> Change:
    """Keep a page of prompts and hand out what the window allows."""
    last = event.first + len(event.prompts)
    whole_page = sa.or_(batches.c.quantity == last, len(event.prompts) == PROMPT_PAGE)
    changed = connection.execute(
        sa.update(batches)
        .where(batches.c.hash == event.hash, batches.c.written == event.first, batches.c.quantity >= last, whole_page)
        .values(written=last, updated_at=now)
    ).rowcount
    if changed == 1:
        connection.execute(
            sa.insert(prompt_pages).values(hash=event.hash, first=event.first, prompts=_encode(event.prompts))
        )
    return _advance(connection, event.hash, window, now, resend=changed == 0)


def prompts_failed(connection: Connection, event: PromptsFailed, now: float) -> Change:
    """End a batch whose prompts cannot be written: everything not handed out fails for that reason."""
    batch = load_batch(connection, event.hash)
    if batch is None or batch.state not in ("running", "held") or batch.written > event.first:
        return Change()
    left = batch.quantity - batch.cursor
    batch.tally.failed += left
    _save(connection, batch, now, cursor=batch.quantity)
    return _finish(connection, batch, Change(status=batch.status, client_id=batch.client_id), now)


def image_generated(connection: Connection, event: ImageGenerated, now: float) -> Change:
    """Pixels exist: QA is next. Time, cost and utilisation are counted once per attempt."""
    row = _job_row(connection, event.ref)
    if row is None or row["stage"] != "generator":
        return _outstanding(connection, event.ref.hash)
    work = _work.decode(row["message"])
    if not isinstance(work, GenerateImage):
        return Change()
    following = ScoreImage(job=work.job, picture=event.picture)
    if not _move(connection, event.ref, "generator", "qa", following, now):
        return _outstanding(connection, event.ref.hash)
    picture = event.picture
    connection.execute(
        sa.update(attempts)
        .where(*_attempt_is(event.ref))
        .values(
            seconds=picture.seconds,
            cost_micros=picture.cost_micros,
            evidence=_encode(Evidence(job=work.job, picture=picture)),
        )
    )
    batch = _required(connection, event.ref.hash)
    batch.tally.seconds_sum += picture.seconds
    batch.tally.timed += 1
    if picture.gpu_util is not None:
        batch.tally.gpu_util_sum += picture.gpu_util
        batch.tally.gpu_util_count += 1
    if picture.cost_micros is not None:
        batch.tally.cost_micros += picture.cost_micros
        batch.tally.costed += 1
    _save(connection, batch, now)
    return Change(status=batch.status, client_id=batch.client_id)


def image_scored(connection: Connection, event: ImageScored, window: int, now: float) -> Change:
    """A verdict: an accepted picture is on its way to storage, a rejected one gets a new attempt or is given up.

    Raises:
        Unavailable: the event overtook the one before it; it is delivered again.
    """
    row = _job_row(connection, event.ref)
    if row is None or row["stage"] not in ("generator", "qa"):
        return _outstanding(connection, event.ref.hash)
    work = _work.decode(row["message"])
    if not isinstance(work, ScoreImage):
        raise Unavailable("timeout", "the verdict overtook the picture it judges")
    assessment = event.assessment
    batch = _required(connection, event.ref.hash)
    batch.tally.judged += 1
    kept = msgspec.structs.replace(assessment, embedding=None)
    connection.execute(
        sa.update(attempts)
        .where(*_attempt_is(event.ref))
        .values(
            state="accepted" if assessment.accepted else "rejected",
            score=assessment.score,
            evidence=_encode(Evidence(job=work.job, picture=work.picture, assessment=kept)),
        )
    )
    if assessment.accepted:
        following = StoreImage(job=work.job, picture=work.picture, assessment=assessment)
        _move(connection, event.ref, "qa", "storage", following, now)
        _save(connection, batch, now)
        return Change(status=batch.status, client_id=batch.client_id)
    batch.tally.rejected += 1
    decision = after_rejection(
        _candidates(connection, event.ref), event.ref.attempt, batch.recipe.max_attempts
    )
    error = ErrorBody(
        code="below_quality",
        message=f"no attempt reached the bar: {'; '.join(assessment.reasons) or 'score below min_score'}",
        hint="lower quality.min_score, raise max_attempts, or change the brief",
    )
    return _decide(connection, batch, event.ref, decision, error, window, now)


def image_stored(connection: Connection, event: ImageStored, window: int, now: float) -> Change:
    """The picture is filed: its job is terminal.

    Raises:
        Unavailable: the event overtook the verdict before it; it is delivered again.
    """
    row = _job_row(connection, event.ref)
    if row is None or row["stage"] == "done":
        return _outstanding(connection, event.ref.hash)
    work = _work.decode(row["message"])
    if not isinstance(work, StoreImage):
        raise Unavailable("timeout", "the filing overtook its verdict")
    batch = _required(connection, event.ref.hash)
    before = msgspec.json.decode(row["outcome"], type=Outcome) if row["outcome"] else Outcome()
    accepted = event.disposition == "accepted"
    outcome = Outcome(
        key=event.key,
        path=event.path,
        url=event.url,
        attempt=event.ref.attempt,
        error=None if accepted else before.error,
        finished_at=now,
    )
    if not _end(connection, event.ref, "completed" if accepted else "failed", outcome, now):
        return _outstanding(connection, event.ref.hash)
    tally = batch.tally
    tally.in_flight -= 1
    if accepted:
        tally.completed += 1
        if work.assessment.score is not None:
            tally.score_sum += work.assessment.score
            tally.scored += 1
        if work.assessment.embedding is not None:
            add_embedding(tally, work.assessment.embedding)
    else:
        tally.failed += 1
    _save(connection, batch, now)
    return _advance(connection, batch.hash, window, now)


def job_failed(connection: Connection, event: JobFailed, window: int, now: float) -> Change:
    """A stage gave up on an attempt."""
    row = _job_row(connection, event.ref)
    if row is None or row["stage"] == "done":
        return _outstanding(connection, event.ref.hash)
    batch = _required(connection, event.ref.hash)
    connection.execute(sa.update(attempts).where(*_attempt_is(event.ref)).values(state="failed"))
    if event.stage == "storage":
        decision = Decision("fail")
    else:
        decision = after_failure(
            event.error, _candidates(connection, event.ref), event.ref.attempt, batch.recipe.max_attempts
        )
    return _decide(connection, batch, event.ref, decision, event.error, window, now)


def job_cancelled(connection: Connection, event: JobCancelled, window: int, now: float) -> Change:
    """A generator dropped an attempt of a cancelled batch."""
    row = _job_row(connection, event.ref)
    if row is None or row["state"] != "cancelling":
        return Change()
    batch = _required(connection, event.ref.hash)
    error = ErrorBody(code="cancelled", message="the batch was cancelled")
    if _end(connection, event.ref, "cancelled", Outcome(error=error, finished_at=now), now):
        batch.tally.in_flight -= 1
        batch.tally.cancelled += 1
        _save(connection, batch, now)
    return _advance(connection, batch.hash, window, now)


def contact_sheet_made(connection: Connection, event: ContactSheetMade, now: float) -> Change:
    """The contact sheet is filed."""
    connection.execute(
        sa.update(batches)
        .where(batches.c.hash == event.hash)
        .values(contact_sheet=event.path or event.key, updated_at=now)
    )
    batch = load_batch(connection, event.hash)
    return Change(status=batch.status, client_id=batch.client_id, finished=True) if batch else Change()


def cancel(connection: Connection, batch: Batch, what: str, now: float) -> Change:
    """Stop a batch: what was not handed out is cancelled now, what is in flight when its process says so."""
    if batch.state in ("completed", "cancelled"):
        return Change(status=batch.status, client_id=batch.client_id, finished=True)
    batch.tally.cancelled += batch.quantity - batch.cursor
    _save(connection, batch, now, cursor=batch.quantity)
    if what == "all":
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.hash == batch.hash, jobs.c.state == "running")
            .values(state="cancelling", updated_at=now)
        )
    return _finish(connection, batch, Change(status=batch.status, client_id=batch.client_id), now)


def expire(connection: Connection, now: float) -> list[Change]:
    """Cancel held plans whose time is over."""
    due = connection.execute(
        sa.select(batches).where(batches.c.state == "held", batches.c.expires_at < now)
    ).mappings()
    return [cancel(connection, decode_batch(row), "all", now) for row in due.all()]


def overdue(connection: Connection, now: float, stale_s: float, window: int) -> tuple[list[tuple[Work, int]], list[Change]]:
    """Work in flight that nothing was heard of for `stale_s` seconds, with how often it was sent again, and changes of
    batches that stand still. A job of a cancelled batch that no process answered for is cancelled here."""
    again: list[tuple[Work, int]] = []
    changes: list[Change] = []
    stale = sa.select(jobs).where(jobs.c.state.in_(("running", "cancelling")), jobs.c.updated_at < now - stale_s)
    for row in connection.execute(stale.limit(1000)).mappings().all():
        work = _work.decode(row["message"])
        if row["state"] == "cancelling" and isinstance(work, GenerateImage):
            changes.append(job_cancelled(connection, JobCancelled(ref=_ref(work.job)), window, now))
            continue
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.hash == row["hash"], jobs.c.index == row["index"])
            .values(resends=row["resends"] + 1, updated_at=now)
        )
        again.append((work, row["resends"] + 1))
    quiet = sa.select(batches).where(batches.c.updated_at < now - stale_s)
    for row in connection.execute(quiet.where(batches.c.state.in_(("running", "held"))).limit(1000)).mappings().all():
        batch = decode_batch(row)
        _touch(connection, batch.hash, now)
        if _wants_prompts(batch, window):
            again.append((write_prompts(batch), int(now)))
        if batch.state == "running":
            changes.append(_advance(connection, batch.hash, window, now))
    unfinished = quiet.where(
        batches.c.state.in_(("completed", "cancelled")), batches.c.contact_sheet.is_(None), batches.c.cursor > 0
    )
    for row in connection.execute(unfinished.limit(100)).mappings().all():
        batch = decode_batch(row)
        if batch.tally.completed:
            _touch(connection, batch.hash, now)
            again.append((MakeContactSheet(hash=batch.hash, client_id=batch.client_id), int(now)))
    return again, changes


# --- pieces -----------------------------------------------------------------------------------------------------------


def _advance(connection: Connection, name: str, window: int, now: float, *, resend: bool = False) -> Change:
    """Refill the window of a running batch, ask for further prompts, or end it."""
    batch = load_batch(connection, name)
    if batch is None:
        return Change()
    change = Change(client_id=batch.client_id)
    if resend:
        change.send.extend(_outstanding(connection, name).send)
    if batch.state == "running":
        first, batch.cursor = batch.cursor, min(batch.written, batch.cursor + window - batch.tally.in_flight)
        batch.cursor = max(first, batch.cursor)
        change.send.extend(_hand_out(connection, batch, index, now) for index in range(first, batch.cursor))
        batch.tally.in_flight += batch.cursor - first
        _save(connection, batch, now, cursor=batch.cursor)
        if _wants_prompts(batch, window):
            change.send.append(write_prompts(batch))
    change.status = batch.status
    return _finish(connection, batch, change, now)


def _wants_prompts(batch: Batch, window: int) -> bool:
    """Whether the next page is needed; a cancelled batch has its cursor at the end and needs none."""
    return batch.cursor < batch.quantity and batch.written < min(batch.quantity, batch.cursor + window)


def _hand_out(connection: Connection, batch: Batch, index: int, now: float) -> Work:
    """The row and the message of a picture's first attempt."""
    work = GenerateImage(job=_job(batch, _prompt(connection, batch.hash, index), index, attempt=1))
    connection.execute(
        sa.insert(jobs).values(
            hash=batch.hash,
            index=index,
            state="running",
            stage="generator",
            attempt=1,
            message=_encode(work),
            resends=0,
            updated_at=now,
        )
    )
    _open_attempt(connection, work.job)
    return work


def _open_attempt(connection: Connection, job: Job) -> None:
    connection.execute(
        sa.insert(attempts).values(
            hash=job.hash, index=job.index, attempt=job.attempt, state="running", seed=job.seed
        )
    )


def _prompt(connection: Connection, name: str, index: int) -> Prompt:
    first = index - index % PROMPT_PAGE
    page = connection.execute(
        sa.select(prompt_pages.c.prompts).where(prompt_pages.c.hash == name, prompt_pages.c.first == first)
    ).scalar_one()
    return _prompts.decode(page)[index - first]


def _job(batch: Batch, prompt: Prompt, index: int, attempt: int) -> Job:
    recipe = batch.recipe
    return Job(
        hash=batch.hash,
        client_id=batch.client_id,
        index=index,
        attempt=attempt,
        image_id=image_id(batch.hash, index),
        prompt=prompt,
        seed=seed_of(batch.seed, index, attempt),
        width=recipe.width,
        height=recipe.height,
        steps=recipe.steps,
        guidance=recipe.guidance,
        sampler=recipe.sampler,
        platform=recipe.platform,
        model=recipe.model,
        models=recipe.models,
        loras=recipe.loras,
        stand_in_for=recipe.stand_in_for,
        style=recipe.style,
        section=batch.command.section,
        min_score=recipe.min_score,
        created_at=str(batch.created_at),
        metadata=batch.command.metadata,
    )


def _decide(
    connection: Connection,
    batch: Batch,
    ref: JobRef,
    decision: Decision,
    error: ErrorBody,
    window: int,
    now: float,
) -> Change:
    """Carry out what follows from a rejected or failed attempt."""
    row = _job_row(connection, ref)
    if row is None:
        return Change()
    cancelling = row["state"] == "cancelling"
    if decision.action == "again" and not cancelling:
        prompt = _prompt(connection, ref.hash, ref.index)
        work = GenerateImage(job=_job(batch, prompt, ref.index, decision.attempt))
        _set(connection, ref, now, stage="generator", attempt=decision.attempt, message=_encode(work), resends=0)
        _open_attempt(connection, work.job)
        _save(connection, batch, now)
        return Change([work], batch.status, batch.client_id)
    if decision.action == "keep" and not cancelling:
        evidence = _evidence(connection, ref, decision.attempt)
        if evidence is not None and evidence.assessment is not None:
            keep = StoreImage(
                job=evidence.job, picture=evidence.picture, assessment=evidence.assessment, disposition="kept"
            )
            _set(
                connection,
                ref,
                now,
                stage="storage",
                attempt=decision.attempt,
                message=_encode(keep),
                resends=0,
                outcome=_encode(Outcome(error=error)),
            )
            _save(connection, batch, now)
            return Change([keep], batch.status, batch.client_id)
    state = "cancelled" if cancelling else "failed"
    if _end(connection, ref, state, Outcome(error=error, finished_at=now), now):
        batch.tally.in_flight -= 1
        batch.tally.failed += state == "failed"
        batch.tally.cancelled += state == "cancelled"
    _save(connection, batch, now)
    return _advance(connection, batch.hash, window, now)


def _finish(connection: Connection, batch: Batch, change: Change, now: float) -> Change:
    """End a batch whose last picture is terminal, and ask for its contact sheet."""
    if not batch.tally.finished or batch.state not in ("running", "held"):
        change.finished = batch.tally.finished
        return change
    state = "cancelled" if batch.tally.cancelled else "completed"
    connection.execute(
        sa.update(batches).where(batches.c.hash == batch.hash).values(state=state, updated_at=now)
    )
    batch.state = state
    change.finished = True
    if batch.tally.completed:
        change.send.append(MakeContactSheet(hash=batch.hash, client_id=batch.client_id))
    return change


def _outstanding(connection: Connection, name: str) -> Change:
    """All work of a batch that is in flight, to be said again."""
    rows = connection.execute(
        sa.select(jobs.c.message).where(jobs.c.hash == name, jobs.c.state.in_(("running", "cancelling"))).limit(1024)
    )
    return Change([_work.decode(message) for (message,) in rows])


def _candidates(connection: Connection, ref: JobRef) -> list[Candidate]:
    rows = connection.execute(
        sa.select(attempts.c.attempt, attempts.c.score).where(
            attempts.c.hash == ref.hash, attempts.c.index == ref.index, attempts.c.state == "rejected"
        )
    )
    return [Candidate(row.attempt, row.score) for row in rows]


def _evidence(connection: Connection, ref: JobRef, attempt: int) -> Evidence | None:
    data = connection.execute(
        sa.select(attempts.c.evidence).where(
            attempts.c.hash == ref.hash, attempts.c.index == ref.index, attempts.c.attempt == attempt
        )
    ).scalar_one_or_none()
    return msgspec.json.decode(data, type=Evidence) if data else None


def _job_row(connection: Connection, ref: JobRef) -> RowMapping | None:
    """The job's row while `ref` names its current attempt; null for a stale or unknown attempt."""
    return (
        connection.execute(
            sa.select(jobs).where(
                jobs.c.hash == ref.hash, jobs.c.index == ref.index, jobs.c.attempt == ref.attempt
            )
        )
        .mappings()
        .first()
    )


def _attempt_is(ref: JobRef) -> tuple[sa.ColumnElement[bool], ...]:
    return (attempts.c.hash == ref.hash, attempts.c.index == ref.index, attempts.c.attempt == ref.attempt)


def _move(connection: Connection, ref: JobRef, before: str, after: str, message: Work, now: float) -> bool:
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


def _set(connection: Connection, ref: JobRef, now: float, **values: Any) -> None:  # noqa: ANN401
    connection.execute(
        sa.update(jobs)
        .where(jobs.c.hash == ref.hash, jobs.c.index == ref.index, jobs.c.attempt == ref.attempt)
        .values(updated_at=now, **values)
    )


def _end(connection: Connection, ref: JobRef, state: str, outcome: Outcome, now: float) -> bool:
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


def _save(connection: Connection, batch: Batch, now: float, *, cursor: int | None = None) -> None:
    values: dict[str, Any] = {"tally": _encode(batch.tally), "updated_at": now}
    if cursor is not None:
        values["cursor"] = cursor
    connection.execute(sa.update(batches).where(batches.c.hash == batch.hash).values(**values))


def _touch(connection: Connection, name: str, now: float) -> None:
    connection.execute(sa.update(batches).where(batches.c.hash == name).values(updated_at=now))


def _required(connection: Connection, name: str) -> Batch:
    batch = load_batch(connection, name)
    if batch is None:
        raise LookupError(f"the ledger has jobs of {name} and not its batch")
    return batch


def _ref(job: Job) -> JobRef:
    return JobRef(hash=job.hash, client_id=job.client_id, index=job.index, attempt=job.attempt, image_id=job.image_id)


def first_prompts(connection: Connection, name: str) -> list[Prompt]:
    """The first page of a batch's prompts; empty before they are written."""
    page = connection.execute(
        sa.select(prompt_pages.c.prompts).where(prompt_pages.c.hash == name, prompt_pages.c.first == 0)
    ).scalar_one_or_none()
    return _prompts.decode(page) if page else []
