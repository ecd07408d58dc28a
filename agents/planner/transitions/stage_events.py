"""The transition that each event causes, in the unit of work of a transaction.

An event that arrives twice changes nothing and leads to the batch's status again, because the process may have died
before it published that; the work that followed is in the outbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa

from agents.planner.ledger.batches import Batch, load_candidates, load_evidence
from agents.planner.ledger.records import Evidence, Outcome, decode_outcome, decode_work, judged_evidence
from agents.planner.ledger.states import (
    ACTIVE_BATCH_STATES,
    IN_FLIGHT_JOB_STATES,
    LATER_STAGES,
    UNFILED_JOB_STATES,
    AttemptState,
    BatchState,
    ChargeKind,
    JobStage,
    JobState,
)
from agents.planner.ledger.tables import batches, jobs, prompt_pages
from agents.planner.ledger.unit_of_work import JobRow, UnitOfWork
from agents.planner.money.charges import charge
from agents.planner.planning.attempts import Decision, after_failure, after_loss, after_rejection, keep_best
from agents.planner.planning.pricing import BUDGET_USED_UP, LOCAL_PROVIDER
from agents.planner.scheduling.consistency_round import leave_standing, standing_of
from agents.planner.scheduling.hand_out import pays_another_attempt
from agents.planner.scheduling.reuse import NeedsLookup, may_reuse
from agents.planner.scheduling.work_messages import build_job, job_of_attempt
from agents.planner.transitions.remade_pictures import judge_remade
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
from protocol.reuse import StoredPicture

_encode = msgspec.json.encode

_UNJUDGED_STAGES = (JobStage.GENERATOR, JobStage.QA)
"""Stages before a verdict."""

_NOT_IN_FLIGHT_STATES = (JobState.WAITING, *UNFILED_JOB_STATES)
"""States from which a picture goes back to an attempt that storage has filed meanwhile."""


@dataclass
class Effect:
    """What an event did to its batch: the work that follows; the blobs that were filed; whether it `changed` anything;
    whether places in flight came free or pictures can be handed out."""

    batch: Batch
    work: list[Work] = field(default_factory=list[Work])
    filed: list[str] = field(default_factory=list[str])
    changed: bool = True
    can_hand_out: bool = False


def on_prompts_written(
    books: UnitOfWork, event: PromptsWritten, stored: Mapping[int, StoredPicture] | None, now: float
) -> Effect | None:
    """Keep the prompts that follow those that are there, and hand out what the window allows.

    They may be fewer than were asked for, where more would not fit one message; the rest is asked for in turn.
    `stored` is what storage has of their pictures, null where it was not asked.

    Raises:
        Unsought: it is to be asked first.
    """
    batch = books.find_batch(event.hash)
    if batch is None or event.revision != batch.tally.amended:
        return None
    if stored is None and batch.written == event.first and may_reuse(batch):
        jobs_of_page = [build_job(batch, prompt, event.first + n, attempt=1) for n, prompt in enumerate(event.prompts)]
        raise NeedsLookup(event, jobs_of_page)
    last = event.first + len(event.prompts)
    changed = books.connection.execute(
        sa.update(batches)
        .where(
            batches.c.hash == event.hash,
            batches.c.written == event.first,
            batches.c.written < last,
        )
        .values(written=last, updated_at=now)
    ).rowcount
    if changed == 1:
        books.connection.execute(
            sa.insert(prompt_pages).values(
                hash=event.hash,
                first=event.first,
                prompts=_encode(event.prompts),
                stored=_encode(stored) if stored else None,
            )
        )
        batch.written = last
    batch.tally.receive_prompts(batch.written)
    return Effect(batch, can_hand_out=True)


def on_prompts_failed(books: UnitOfWork, event: PromptsFailed) -> Effect | None:
    """End a batch whose prompts cannot be written: everything not handed out fails for that reason."""
    batch = books.find_batch(event.hash)
    if batch is None or batch.state not in ACTIVE_BATCH_STATES:
        return None
    if batch.written > event.first or event.revision != batch.tally.amended:
        return None
    batch.tally.fail_rest(batch.cursor)
    batch.cursor = batch.quantity
    return Effect(batch, can_hand_out=True)


def on_image_generated(books: UnitOfWork, event: ImageGenerated, now: float) -> Effect | None:
    """Pixels exist: QA is next. Time, cost and utilisation are counted once per attempt."""
    row = books.current_job(event.ref)
    if row is None or row.stage != JobStage.GENERATOR:
        return _no_effect(books, event.ref)
    work = decode_work(row.message)
    if not isinstance(work, GenerateImage):
        return None
    picture = event.picture
    books.change_job(row, now, stage=JobStage.QA, message=_encode(ScoreImage(job=work.job, picture=picture)), resends=0)
    books.change_attempt(
        event.ref,
        seconds=picture.seconds,
        cost_micros=picture.cost_micros,
        evidence=_encode(Evidence(job=work.job, picture=picture)),
    )
    batch = books.require_batch(event.ref.hash)
    batch.tally.count_generation(picture.seconds, picture.gpu_util)
    if picture.cost_micros is not None:
        kind = ChargeKind.GPU if batch.recipe.provider == LOCAL_PROVIDER else ChargeKind.PROVIDER
        charge(books.connection, batch, event.ref, picture.provider, kind, picture.cost_micros, now)
    return Effect(batch)


def on_image_scored(books: UnitOfWork, event: ImageScored, now: float) -> Effect | None:
    """A verdict: an accepted picture is on its way to storage, a rejected one gets a new attempt or is given up.

    Raises:
        Unavailable: the event overtook the one before it; it is delivered again.
    """
    row = books.current_job(event.ref)
    if row is None or row.stage not in _UNJUDGED_STAGES:
        return _no_effect(books, event.ref)
    work = decode_work(row.message)
    if not isinstance(work, ScoreImage):
        raise Unavailable("timeout", "the verdict overtook the picture it judges")
    assessment = event.assessment
    batch = books.require_batch(event.ref.hash)
    if (standing := standing_of(row)) is not None:
        following = judge_remade(books, batch, row, work, standing, assessment, now)
        return Effect(batch, [following]) if following is not None else Effect(batch, can_hand_out=True)
    batch.tally.count_verdict(assessment.accepted)
    books.change_attempt(
        event.ref,
        state=AttemptState.ACCEPTED if assessment.accepted else AttemptState.REJECTED,
        score=assessment.score,
        evidence=_encode(judged_evidence(work.job, work.picture, assessment)),
    )
    if assessment.accepted:
        following = StoreImage(job=work.job, picture=work.picture, assessment=assessment)
        books.change_job(row, now, stage=JobStage.STORAGE, message=_encode(following), resends=0)
        return Effect(batch)
    books.note("picture_rejected", batch, event.ref.index, now, attempt=event.ref.attempt, score=assessment.score)
    tried = load_candidates(books.flush(now), event.ref)
    decision = after_rejection(tried, event.ref.attempt, batch.recipe.max_attempts)
    error = ErrorBody(
        code="below_quality",
        message=f"no attempt reached the bar: {'; '.join(assessment.reasons) or 'score below min_score'}",
        hint="lower quality.min_score, raise max_attempts, or change the brief",
    )
    return _carry_out(books, batch, event.ref, decision, error, now)


def on_image_stored(books: UnitOfWork, event: ImageStored, now: float) -> Effect | None:
    """The picture is filed: its job is terminal.

    Raises:
        Unavailable: the event overtook the verdict before it; it is delivered again.
    """
    row = books.current_job(event.ref)
    if row is not None and row.stage in _UNJUDGED_STAGES:
        raise Unavailable("timeout", "the filing overtook its verdict")
    if row is None or row.state in _NOT_IN_FLIGHT_STATES:
        row = _return_to_filed_attempt(books, event, now) or row
    if row is None or row.state not in IN_FLIGHT_JOB_STATES:
        return _no_effect(books, event.ref)
    work = decode_work(row.message)
    assessment = work.assessment if isinstance(work, StoreImage) else Assessment(score=None, accepted=True, measures={})
    batch = books.require_batch(event.ref.hash)
    accepted = event.disposition == "accepted"
    outcome = Outcome(
        key=event.key,
        path=event.path,
        url=event.url,
        attempt=event.ref.attempt,
        error=None if accepted else decode_outcome(row.outcome).error,
        finished_at=now,
    )
    if standing_of(row) is not None:
        books.change_job(row, now, reused=None)
    _end_job(books, row, JobState.COMPLETED if accepted else JobState.FAILED, outcome, now)
    if accepted:
        reused = isinstance(work, StoreImage) and work.reused is not None
        batch.tally.complete(reused=reused, score=assessment.score, embedding=assessment.embedding)
    else:
        batch.tally.fail()
    filed = [work.picture.blob] if isinstance(work, StoreImage) else []
    return Effect(batch, filed=filed, can_hand_out=True)


def _return_to_filed_attempt(books: UnitOfWork, event: ImageStored, now: float) -> JobRow | None:
    """The job's row, taken back to an attempt that storage has accepted meanwhile; null where it is not so.

    A stage that said both that it failed and that it did not, a verdict that came out once each way, a dead letter that
    was replayed, or a cancelled picture that was made already leaves a filed picture beside a further attempt or an
    end. The filed one stays: storage never files another in its place. The planner may not have heard of its making.
    """
    ref = event.ref
    later = sa.and_(jobs.c.attempt > ref.attempt, jobs.c.stage != JobStage.DONE)
    given_up = sa.and_(jobs.c.attempt >= ref.attempt, jobs.c.state.in_(_NOT_IN_FLIGHT_STATES))
    taken_back = sa.and_(jobs.c.hash == ref.hash, jobs.c.index == ref.index, sa.or_(later, given_up))
    found = books.flush(now).execute(sa.select(jobs.c.state, jobs.c.outcome).where(taken_back)).first()
    if event.disposition != "accepted" or found is None or decode_outcome(found.outcome).standing is not None:
        return None  # of a picture that stands while it is made again, nothing new is heard
    before = found.state
    batch = books.require_batch(ref.hash)
    evidence = load_evidence(books.connection, ref, ref.attempt)
    if evidence is not None and evidence.assessment is not None:
        filed: Work = StoreImage(job=evidence.job, picture=evidence.picture, assessment=evidence.assessment)
    else:
        filed = GenerateImage(job=job_of_attempt(books, batch, ref.index, ref.attempt))
    if before == JobState.WAITING:
        batch.tally.hand_out_waiting(1)
    elif before in UNFILED_JOB_STATES:
        _count_reopened(books, batch, before)
    books.connection.execute(
        sa.update(jobs)
        .where(taken_back)
        .values(
            attempt=ref.attempt,
            stage=JobStage.STORAGE,
            state=JobState.CANCELLING if before == JobState.CANCELLING else JobState.RUNNING,
            message=_encode(filed),
            updated_at=now,
        )
    )
    return books.current_job(ref)


def _count_reopened(books: UnitOfWork, batch: Batch, before: str) -> None:
    """Count a failed or cancelled picture as in flight again; its batch ends anew, with another contact sheet."""
    if before == JobState.FAILED:
        batch.tally.reopen_failed()
    else:
        batch.tally.reopen_cancelled()
    batch.tally.count_retry()
    batch.contact_sheet = None
    batch.state = BatchState.RUNNING if batch.state == BatchState.COMPLETED else batch.state
    books.mark_changed(batch)


def on_job_failed(books: UnitOfWork, event: JobFailed, now: float) -> Effect | None:
    """A stage gave up on an attempt. One whose work went on nevertheless, from an earlier delivery, is not heard."""
    row = books.current_job(event.ref)
    if row is None or row.state not in IN_FLIGHT_JOB_STATES or row.stage in LATER_STAGES.get(event.stage, ()):
        return _no_effect(books, event.ref)
    batch = books.require_batch(event.ref.hash)
    books.change_attempt(event.ref, state=AttemptState.FAILED)
    if (standing := standing_of(row)) is not None:
        leave_standing(books, batch, row, standing, now, final=not event.error.retryable)
        return Effect(batch, can_hand_out=True)
    if event.stage == "storage":
        decision = _decide_unfiled(books, row, event.error, batch.recipe.max_attempts, now)
    else:
        tried = load_candidates(books.flush(now), event.ref)
        decision = after_failure(event.error, tried, event.ref.attempt, batch.recipe.max_attempts)
    return _carry_out(books, batch, event.ref, decision, event.error, now)


def _decide_unfiled(books: UnitOfWork, row: JobRow, error: ErrorBody, max_attempts: int, now: float) -> Decision:
    """A picture that could not be filed is lost, unless its pixels are; one that was to be reused is made after all."""
    work = decode_work(row.message)
    if isinstance(work, StoreImage) and work.reused is not None:
        books.change_job(row, now, reused=None)
        return Decision("again", row.attempt + 1)
    kept = isinstance(work, StoreImage) and work.disposition == "kept"
    return after_loss(error, kept, row.attempt, max_attempts)


def on_job_cancelled(books: UnitOfWork, event: JobCancelled, now: float) -> Effect | None:
    """A generator dropped an attempt of a cancelled batch; one that it made in an earlier delivery goes on."""
    row = books.current_job(event.ref)
    if row is None or row.state != JobState.CANCELLING or row.stage != JobStage.GENERATOR:
        return None
    batch = books.require_batch(event.ref.hash)
    if (standing := standing_of(row)) is not None:
        leave_standing(books, batch, row, standing, now)
        return Effect(batch, can_hand_out=True)
    error = ErrorBody(code="cancelled", message="the batch was cancelled")
    _end_job(books, row, JobState.CANCELLED, Outcome(error=error, finished_at=now), now)
    batch.tally.cancel()
    return Effect(batch, can_hand_out=True)


def on_contact_sheet_made(books: UnitOfWork, event: ContactSheetMade) -> Effect | None:
    """The contact sheet is filed."""
    batch = books.find_batch(event.hash)
    if batch is None:
        return None
    batch.contact_sheet = event.path or event.key
    return Effect(batch)


def _carry_out(
    books: UnitOfWork, batch: Batch, ref: JobRef, decision: Decision, error: ErrorBody, now: float
) -> Effect | None:
    """Carry out what follows from a rejected or failed attempt."""
    row = books.current_job(ref)
    if row is None:
        return None
    cancelling = row.state == JobState.CANCELLING
    if decision.action == "again" and not cancelling:
        if not pays_another_attempt(books, batch, ref.index, now):
            decision, error = keep_best(load_candidates(books.flush(now), ref)), BUDGET_USED_UP
        row = books.current_job(ref) or row
    if decision.action == "again" and not cancelling:
        if batch.state == BatchState.PAUSED:
            books.change_job(row, now, state=JobState.WAITING, stage=JobStage.QUEUE, attempt=decision.attempt)
            batch.tally.park()
            return Effect(batch)
        work = GenerateImage(job=job_of_attempt(books, batch, ref.index, decision.attempt))
        books.change_job(row, now, stage=JobStage.GENERATOR, attempt=decision.attempt, message=_encode(work), resends=0)
        books.add_attempts([work.job])
        return Effect(batch, [work])
    before = decode_outcome(row.outcome)
    if decision.action == "keep" and not cancelling and before.key is None:
        evidence = load_evidence(books.flush(now), ref, decision.attempt)
        row = books.current_job(ref)
        if row is not None and evidence is not None and evidence.assessment is not None:
            keep = StoreImage(
                job=evidence.job, picture=evidence.picture, assessment=evidence.assessment, disposition="kept"
            )
            outcome = _encode(Outcome(error=error))
            books.change_job(
                row,
                now,
                stage=JobStage.STORAGE,
                attempt=decision.attempt,
                message=_encode(keep),
                resends=0,
                outcome=outcome,
            )
            return Effect(batch, [keep])
    if row is not None and row.stage != JobStage.DONE:
        outcome = msgspec.structs.replace(before, error=error, finished_at=now)
        _end_job(books, row, JobState.CANCELLED if cancelling else JobState.FAILED, outcome, now)
        if cancelling:
            batch.tally.cancel()
        else:
            batch.tally.fail()
    return Effect(batch, can_hand_out=True)


def _no_effect(books: UnitOfWork, ref: JobRef) -> Effect | None:
    """Where the batch stands, when nothing changed in it."""
    batch = books.find_batch(ref.hash)
    return Effect(batch, changed=False) if batch is not None else None


def _end_job(books: UnitOfWork, row: JobRow, state: JobState, outcome: Outcome, now: float) -> None:
    reason = outcome.error.code if outcome.error else None
    books.note(f"picture_{state}", books.require_batch(row.hash), row.index, now, attempt=row.attempt, reason=reason)
    books.change_job(row, now, state=state, stage=JobStage.DONE, outcome=_encode(outcome))
