"""The verdict over another attempt at a picture that is filed and unlike the others of its batch."""

import msgspec

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import judged_evidence
from agents.planner.ledger.states import AttemptState, JobStage, JobState
from agents.planner.ledger.unit_of_work import JobRow, UnitOfWork
from agents.planner.planning.consistency import is_nearer
from agents.planner.scheduling.consistency_round import leave_standing
from protocol.messages import Assessment, ScoreImage, StoreImage, ref_of

_encode = msgspec.json.encode


def judge_remade(
    books: UnitOfWork,
    batch: Batch,
    row: JobRow,
    work: ScoreImage,
    standing: StoreImage,
    assessment: Assessment,
    now: float,
) -> StoreImage | None:
    """The work that files the attempt in place of the picture that stands, where QA accepted it and it is nearer to the
    others; null where that picture stays, which is completed again."""
    ref = ref_of(work.job)
    nearer = assessment.accepted and is_nearer(assessment.embedding, standing.assessment.embedding, batch.tally.centre)
    batch.tally.count_verdict(nearer)
    books.change_attempt(
        ref,
        state=AttemptState.ACCEPTED if nearer else AttemptState.REJECTED,
        score=assessment.score,
        evidence=_encode(judged_evidence(work.job, work.picture, assessment)),
    )
    if not nearer or row.state == JobState.CANCELLING:
        books.note("picture_rejected", batch, ref.index, now, attempt=ref.attempt, score=assessment.score)
        leave_standing(books, batch, row, standing, now)
        return None
    following = StoreImage(job=work.job, picture=work.picture, assessment=assessment)
    books.change_job(row, now, stage=JobStage.STORAGE, message=_encode(following), resends=0)
    return following
