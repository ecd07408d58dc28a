"""Counts of a batch and the status they make. Pure module.

completed + processing + queued + failed + cancelled is the quantity in every status, because queued is what is left.
"""

import struct
from array import array

from msgspec import UNSET, Struct

from protocol.results import GenerationStatus, Performance, QualityMetrics, StatusBody


class Tally(Struct, kw_only=True):
    """Running sums of a batch. `seconds` are of generation; `embeddings` is the sum of unit vectors.

    `reused` of the completed ones were stored already. `taken_back` of those in flight wait for a generator once more,
    while the batch is paused. `waiting` pictures were handed out before and wait for another attempt; `ahead` ended
    before their turn, their index at or past the cursor. `asked` is above `written` while prompts are on their way.
    `stopped` says that the client cancelled what was left; `retries` and `amended` count those commands, `revision` the
    statuses.
    """

    quantity: int
    in_flight: int = 0
    taken_back: int = 0
    waiting: int = 0
    ahead: int = 0
    asked: int = 0
    stopped: bool = False
    retries: int = 0
    amended: int = 0
    revision: int = 0
    completed: int = 0
    reused: int = 0
    failed: int = 0
    cancelled: int = 0
    judged: int = 0
    rejected: int = 0
    score_sum: float = 0.0
    scored: int = 0
    seconds_sum: float = 0.0
    timed: int = 0
    gpu_util_sum: float = 0.0
    gpu_util_count: int = 0
    cost_micros: int = 0
    costed: int = 0
    embedding_sum: bytes | None = None
    embedded: int = 0

    @property
    def ended_pictures(self) -> int:
        """Pictures in a terminal state."""
        return self.completed + self.failed + self.cancelled

    @property
    def is_finished(self) -> bool:
        return self.ended_pictures >= self.quantity


def add_embedding(tally: Tally, embedding: bytes) -> None:
    """Add a unit vector (little-endian float16) to the sum; vectors of another length than the first are left out."""
    vector = _floats(embedding)
    if tally.embedding_sum is None:
        total = vector
    else:
        total = array("d", tally.embedding_sum)
        if len(total) != len(vector):
            return
        total = array("d", (a + b for a, b in zip(total, vector, strict=True)))
    tally.embedding_sum = total.tobytes()
    tally.embedded += 1


def consistency(tally: Tally) -> float | None:
    """Mean cosine over all pairs of the unit vectors e: (|sum e|^2 - n) / (n (n - 1)), held to 0..1; null below two."""
    count = tally.embedded
    if count < 2 or tally.embedding_sum is None:
        return None
    total = array("d", tally.embedding_sum)
    square = sum(value * value for value in total)
    return round(min(1.0, max(0.0, (square - count) / (count * (count - 1)))), 4)


def status_of(batch: str, state: str, tally: Tally, stand_in: str | None) -> GenerationStatus:
    """The status that the counts make."""
    processing = min(tally.in_flight - tally.taken_back, tally.quantity - tally.ended_pictures)
    return GenerationStatus(
        generation_status=StatusBody(
            completed=tally.completed,
            processing=processing,
            queued=tally.quantity - tally.ended_pictures - processing,
            failed=tally.failed or UNSET,
            cancelled=tally.cancelled or UNSET,
            quality_metrics=QualityMetrics(
                avg_score=_mean(tally.score_sum, tally.scored),
                consistency=consistency(tally),
                rejection_rate=_mean(tally.rejected, tally.judged),
            ),
            performance=Performance(
                avg_time=_mean(tally.seconds_sum, tally.timed),
                gpu_util=_mean(tally.gpu_util_sum, tally.gpu_util_count),
            ),
            cost_per_image=_mean(tally.cost_micros / 1e6, tally.completed) if _has_cost(tally) else None,
            stand_in=stand_in or UNSET,
            state=state if state in ("held", "paused") else UNSET,
            reused=tally.reused or UNSET,
        ),
        hash=batch,
    )


def _has_cost(tally: Tally) -> bool:
    """Whether it is known what the pictures cost: where all of them were stored already, nothing."""
    return tally.costed > 0 or (tally.reused > 0 and not tally.timed)


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 4) if count else None


def _floats(embedding: bytes) -> "array[float]":
    count = len(embedding) // 2
    return array("d", struct.unpack(f"<{count}e", embedding[: 2 * count]))
