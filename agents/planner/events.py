"""Transitions that events cause. Each runs inside one transaction of the writer and says what follows from it.

An event that arrives twice changes nothing and is answered with where its batch stands, because the process may have
died before it said so; the work that followed is in the outbox.
"""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from agents.planner.attempts import Decision, after_failure, after_rejection
from agents.planner.budget import LOCAL
from agents.planner.dispatch import Window
from agents.planner.rows import (
    WORK,
    Batch,
    candidates,
    end,
    evidence_of,
    job_row,
    load_batch,
    move,
    open_attempts,
    required,
    save,
    set_attempt,
    set_job,
)
from agents.planner.spend import charge
from agents.planner.tables import Evidence, Outcome, batches, jobs, prompt_pages
from agents.planner.tally import add_embedding
from agents.planner.window import ACTIVE, Change, advance, job_for, settle, standing
from protocol.errors import ErrorBody, Unavailable
from protocol.messages import (
    Assessment,
    ContactSheetMade,
    GenerateImage,
    ImageGenerated,
    ImageScored,
    ImageStored,
    JobCancelled,
    JobFailed,
    JobRef,
    PromptsFailed,
    PromptsWritten,
    ScoreImage,
    StoreImage,
    Work,
)

_encode = msgspec.json.encode

_PAST: dict[str, tuple[str, ...]] = {"generator": ("qa", "storage", "done"), "qa": ("storage", "done")}
"""Stage -> the stages that a job reaches through its work."""

_UNFILED = ("failed", "cancelled")
"""Ends of a job without a filed picture, as far as the planner knew."""


def prompts_written(connection: Connection, event: PromptsWritten, window: Window, now: float) -> Change:
    """Keep the prompts that follow those that are there, and hand out what the window allows.

    They may be fewer than were asked for, where more would not fit one message; the rest is asked for in turn.
    """
    batch = load_batch(connection, event.hash)
    if batch is None or event.revision != batch.tally.amended:
        return Change()
    last = event.first + len(event.prompts)
    changed = connection.execute(
        sa.update(batches)
        .where(
            batches.c.hash == event.hash,
            batches.c.written == event.first,
            batches.c.written < last,
        )
        .values(written=last, updated_at=now)
    ).rowcount
    if changed == 1:
        connection.execute(
            sa.insert(prompt_pages).values(hash=event.hash, first=event.first, prompts=_encode(event.prompts))
        )
        batch.written = last
    batch.tally.asked = batch.written
    return advance(connection, batch, window, now)


def prompts_failed(connection: Connection, event: PromptsFailed, now: float) -> Change:
    """End a batch whose prompts cannot be written: everything not handed out fails for that reason."""
    batch = load_batch(connection, event.hash)
    if batch is None or batch.state not in ACTIVE:
        return Change()
    if batch.written > event.first or event.revision != batch.tally.amended:
        return Change()
    batch.tally.failed += batch.quantity - batch.cursor - batch.tally.ahead
    batch.tally.ahead = 0
    batch.cursor = batch.quantity
    return settle(connection, batch, Change(client_id=batch.client_id), now)


def image_generated(connection: Connection, event: ImageGenerated, now: float) -> Change:
    """Pixels exist: QA is next. Time, cost and utilisation are counted once per attempt."""
    row = job_row(connection, event.ref)
    if row is None or row["stage"] != "generator":
        return standing(connection, event.ref.hash)
    work = WORK.decode(row["message"])
    if not isinstance(work, GenerateImage):
        return Change()
    following = ScoreImage(job=work.job, picture=event.picture)
    if not move(connection, event.ref, "generator", "qa", following, now):
        return standing(connection, event.ref.hash)
    picture = event.picture
    set_attempt(
        connection,
        event.ref,
        seconds=picture.seconds,
        cost_micros=picture.cost_micros,
        evidence=_encode(Evidence(job=work.job, picture=picture)),
    )
    batch = required(connection, event.ref.hash)
    batch.tally.seconds_sum += picture.seconds
    batch.tally.timed += 1
    if picture.gpu_util is not None:
        batch.tally.gpu_util_sum += picture.gpu_util
        batch.tally.gpu_util_count += 1
    if picture.cost_micros is not None:
        kind = "gpu" if batch.recipe.provider == LOCAL else "provider"
        charge(connection, batch, event.ref, picture.provider, kind, picture.cost_micros, now)
    return settle(connection, batch, Change(client_id=batch.client_id), now)


def image_scored(connection: Connection, event: ImageScored, window: Window, now: float) -> Change:
    """A verdict: an accepted picture is on its way to storage, a rejected one gets a new attempt or is given up.

    Raises:
        Unavailable: the event overtook the one before it; it is delivered again.
    """
    row = job_row(connection, event.ref)
    if row is None or row["stage"] not in ("generator", "qa"):
        return standing(connection, event.ref.hash)
    work = WORK.decode(row["message"])
    if not isinstance(work, ScoreImage):
        raise Unavailable("timeout", "the verdict overtook the picture it judges")
    assessment = event.assessment
    batch = required(connection, event.ref.hash)
    batch.tally.judged += 1
    kept = msgspec.structs.replace(assessment, embedding=None)
    set_attempt(
        connection,
        event.ref,
        state="accepted" if assessment.accepted else "rejected",
        score=assessment.score,
        evidence=_encode(Evidence(job=work.job, picture=work.picture, assessment=kept)),
    )
    if assessment.accepted:
        following = StoreImage(job=work.job, picture=work.picture, assessment=assessment)
        move(connection, event.ref, "qa", "storage", following, now)
        return settle(connection, batch, Change(client_id=batch.client_id), now)
    batch.tally.rejected += 1
    decision = after_rejection(candidates(connection, event.ref), event.ref.attempt, batch.recipe.max_attempts)
    error = ErrorBody(
        code="below_quality",
        message=f"no attempt reached the bar: {'; '.join(assessment.reasons) or 'score below min_score'}",
        hint="lower quality.min_score, raise max_attempts, or change the brief",
    )
    return _decide(connection, batch, event.ref, decision, error, window, now)


def image_stored(connection: Connection, event: ImageStored, window: Window, now: float) -> Change:
    """The picture is filed: its job is terminal.

    Raises:
        Unavailable: the event overtook the verdict before it; it is delivered again.
    """
    row = job_row(connection, event.ref)
    if row is not None and row["stage"] in ("generator", "qa"):
        raise Unavailable("timeout", "the filing overtook its verdict")
    if row is None or row["state"] in _UNFILED:
        row = _adopt(connection, event, now) or row
    if row is None or row["stage"] == "done":
        return standing(connection, event.ref.hash)
    work = WORK.decode(row["message"])
    assessment = work.assessment if isinstance(work, StoreImage) else Assessment(score=None, accepted=True, measures={})
    batch = required(connection, event.ref.hash)
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
    if not end(connection, event.ref, "completed" if accepted else "failed", outcome, now):
        return standing(connection, event.ref.hash)
    tally = batch.tally
    if row["state"] == "waiting":
        tally.waiting -= 1
    else:
        tally.in_flight -= 1
    if accepted:
        tally.completed += 1
        if assessment.score is not None:
            tally.score_sum += assessment.score
            tally.scored += 1
        if assessment.embedding is not None:
            add_embedding(tally, assessment.embedding)
    else:
        tally.failed += 1
    return advance(connection, batch, window, now)


def _adopt(connection: Connection, event: ImageStored, now: float) -> RowMapping | None:
    """The job's row, taken back to an attempt that storage has accepted meanwhile; null where it is not so.

    A stage that said both that it failed and that it did not, a verdict that came out once each way, a dead letter that
    was replayed, or a cancelled picture that was made already leaves a filed picture beside a further attempt or an
    end. The filed one stays: storage never files another in its place. The planner may not have heard of its making.
    """
    ref = event.ref
    later = sa.and_(jobs.c.attempt > ref.attempt, jobs.c.stage != "done")
    given_up = sa.and_(jobs.c.attempt >= ref.attempt, jobs.c.state.in_(_UNFILED))
    taken_back = sa.and_(jobs.c.hash == ref.hash, jobs.c.index == ref.index, sa.or_(later, given_up))
    before = connection.execute(sa.select(jobs.c.state).where(taken_back)).scalar()
    if event.disposition != "accepted" or before is None:
        return None
    batch = required(connection, ref.hash)
    evidence = evidence_of(connection, ref, ref.attempt)
    if evidence is not None and evidence.assessment is not None:
        filed: Work = StoreImage(job=evidence.job, picture=evidence.picture, assessment=evidence.assessment)
    else:
        filed = GenerateImage(job=job_for(connection, batch, ref.index, ref.attempt))
    if before in _UNFILED:
        _reopen(connection, batch, before, now)
    connection.execute(
        sa.update(jobs)
        .where(taken_back)
        .values(
            attempt=ref.attempt,
            stage="storage",
            state="running" if before in _UNFILED else before,
            message=_encode(filed),
            updated_at=now,
        )
    )
    return job_row(connection, ref)


def _reopen(connection: Connection, batch: Batch, before: str, now: float) -> None:
    """Count a failed or cancelled picture as in flight again; its batch ends anew, with another contact sheet."""
    batch.tally.failed -= before == "failed"
    batch.tally.cancelled -= before == "cancelled"
    batch.tally.in_flight += 1
    batch.tally.retries += 1
    batch.contact_sheet = None
    batch.state = "running" if batch.state == "completed" else batch.state
    save(connection, batch, now)


def job_failed(connection: Connection, event: JobFailed, window: Window, now: float) -> Change:
    """A stage gave up on an attempt. One whose work went on nevertheless, from an earlier delivery, is not heard."""
    row = job_row(connection, event.ref)
    if row is None or row["stage"] in _PAST.get(event.stage, ("done",)):
        return standing(connection, event.ref.hash)
    batch = required(connection, event.ref.hash)
    set_attempt(connection, event.ref, state="failed")
    if event.stage == "storage":
        decision = Decision("fail")
    else:
        decision = after_failure(
            event.error, candidates(connection, event.ref), event.ref.attempt, batch.recipe.max_attempts
        )
    return _decide(connection, batch, event.ref, decision, event.error, window, now)


def job_cancelled(connection: Connection, event: JobCancelled, window: Window, now: float) -> Change:
    """A generator dropped an attempt of a cancelled batch; one that it made in an earlier delivery goes on."""
    row = job_row(connection, event.ref)
    if row is None or row["state"] != "cancelling" or row["stage"] != "generator":
        return Change()
    batch = required(connection, event.ref.hash)
    error = ErrorBody(code="cancelled", message="the batch was cancelled")
    if end(connection, event.ref, "cancelled", Outcome(error=error, finished_at=now), now):
        batch.tally.in_flight -= 1
        batch.tally.cancelled += 1
    return advance(connection, batch, window, now)


def contact_sheet_made(connection: Connection, event: ContactSheetMade, now: float) -> Change:
    """The contact sheet is filed."""
    batch = load_batch(connection, event.hash)
    if batch is None:
        return Change()
    batch.contact_sheet = event.path or event.key
    return settle(connection, batch, Change(client_id=batch.client_id), now)


def _decide(
    connection: Connection,
    batch: Batch,
    ref: JobRef,
    decision: Decision,
    error: ErrorBody,
    window: Window,
    now: float,
) -> Change:
    """Carry out what follows from a rejected or failed attempt."""
    row = job_row(connection, ref)
    if row is None:
        return Change()
    cancelling = row["state"] == "cancelling"
    if decision.action == "again" and not cancelling:
        if batch.state == "paused":
            set_job(connection, ref, now, state="waiting", stage="queue", attempt=decision.attempt)
            batch.tally.in_flight -= 1
            batch.tally.waiting += 1
            return settle(connection, batch, Change(client_id=batch.client_id), now)
        work = GenerateImage(job=job_for(connection, batch, ref.index, decision.attempt))
        set_job(
            connection,
            ref,
            now,
            stage="generator",
            attempt=decision.attempt,
            message=_encode(work),
            resends=0,
        )
        open_attempts(connection, [work.job])
        return settle(connection, batch, Change([work], client_id=batch.client_id), now)
    before = msgspec.json.decode(row["outcome"], type=Outcome) if row["outcome"] else Outcome()
    if decision.action == "keep" and not cancelling and before.key is None:
        evidence = evidence_of(connection, ref, decision.attempt)
        if evidence is not None and evidence.assessment is not None:
            keep = StoreImage(
                job=evidence.job, picture=evidence.picture, assessment=evidence.assessment, disposition="kept"
            )
            set_job(
                connection,
                ref,
                now,
                stage="storage",
                attempt=decision.attempt,
                message=_encode(keep),
                resends=0,
                outcome=_encode(Outcome(error=error)),
            )
            return settle(connection, batch, Change([keep], client_id=batch.client_id), now)
    state = "cancelled" if cancelling else "failed"
    if end(connection, ref, state, msgspec.structs.replace(before, error=error, finished_at=now), now):
        batch.tally.in_flight -= 1
        batch.tally.failed += state == "failed"
        batch.tally.cancelled += state == "cancelled"
    return advance(connection, batch, window, now)
