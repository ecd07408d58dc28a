"""Counts of a batch and the status they make. Pure module.

completed + processing + queued + failed + cancelled is the quantity in every status, because queued is what is left.
Nothing but the methods of `Tally` changes its counts.
"""

import struct
from array import array

from msgspec import UNSET, Struct

from agents.planner.planning.pricing import BUDGET_USED_UP
from protocol.results import BatchState, GenerationStatus, Performance, QualityMetrics, StatusBody


class Tally(Struct, kw_only=True):
    """Running sums of a batch. `seconds_sum` is time of generation; `embedding_sum` is the sum of unit vectors.

    `reused` is how many of the completed pictures were stored already. `taken_back` is how many of those in flight
    wait for a generator again, while the batch is paused. `waiting` pictures were handed out before and wait for
    another attempt. `ahead` pictures ended before their turn, with an index at or after the cursor. `asked` is above
    the batch's `written` while prompts are on their way. `stopped` says that what was left was cancelled, and
    `budget_used_up` that it was because the budget pays no more of it; `retries` and `amended` count those commands,
    `revision` the statuses. `centre` is the unit vector (little-endian float32) that pictures which are made again are
    to come nearer to. `closed_at` is when the batch ended before, with
    `closed` completed pictures, which stay as they are.
    """

    quantity: int
    in_flight: int = 0
    taken_back: int = 0
    waiting: int = 0
    ahead: int = 0
    asked: int = 0
    stopped: bool = False
    budget_used_up: bool = False
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
    centre: bytes | None = None
    closed_at: float | None = None
    closed: int = 0

    @property
    def ended_pictures(self) -> int:
        """Pictures in a terminal state."""
        return self.completed + self.failed + self.cancelled

    @property
    def is_finished(self) -> bool:
        return self.ended_pictures >= self.quantity

    # Pictures in flight.

    def hand_out(self, pictures: int) -> None:
        """Pictures are handed out for the first time."""
        self.in_flight += pictures

    def hand_out_waiting(self, pictures: int) -> None:
        """Pictures that waited for another attempt are handed out; where none was found, none waits."""
        self.in_flight += pictures
        self.waiting = self.waiting - pictures if pictures else 0

    def park(self) -> None:
        """A picture in flight waits for another attempt."""
        self.in_flight -= 1
        self.waiting += 1

    def complete(self, *, reused: bool, score: float | None, embedding: bytes | None) -> None:
        """An accepted picture in flight is filed."""
        self.in_flight -= 1
        self.completed += 1
        self.reused += reused
        if score is not None:
            self.score_sum += score
            self.scored += 1
        if embedding is not None:
            add_embedding(self, embedding)

    def take_up_completed(self, *, reused: bool, score: float | None, embedding: bytes | None) -> None:
        """A completed picture waits for another attempt: what `complete` counted is taken back."""
        self.completed -= 1
        self.waiting += 1
        self.reused -= reused
        if score is not None:
            self.score_sum -= score
            self.scored -= 1
        if embedding is not None:
            add_embedding(self, embedding, -1)

    def begin_round(self, centre: bytes | None) -> None:
        """Every picture has ended, and they are compared with their centre."""
        self.centre = centre

    def close(self, now: float) -> None:
        """The batch ends: no picture that is completed by now is taken up again."""
        self.closed_at, self.closed, self.centre = now, self.completed, None

    def fail(self) -> None:
        """A picture in flight ends without an accepted file."""
        self.in_flight -= 1
        self.failed += 1

    def cancel(self) -> None:
        """A picture in flight ends because it was cancelled."""
        self.in_flight -= 1
        self.cancelled += 1

    # Pictures that are not in flight.

    def fail_rest(self, cursor: int) -> None:
        """Everything from the cursor on fails, but for what ended ahead of it."""
        self.failed += self.quantity - cursor - self.ahead
        self.ahead = 0

    def cancel_rest(self, cursor: int) -> None:
        """Everything from the cursor on is cancelled, but for what ended ahead of it."""
        self.stopped = True
        self.cancelled += self.quantity - cursor - self.ahead
        self.ahead = 0

    def use_up_budget(self) -> None:
        """The budget pays nothing of what is left, which is cancelled."""
        self.budget_used_up = True

    def cancel_ahead(self) -> None:
        """A picture is cancelled before its turn."""
        self.ahead += 1
        self.cancelled += 1

    def cancel_waiting(self) -> None:
        """A picture that waits for another attempt is cancelled."""
        self.waiting -= 1
        self.cancelled += 1

    def cancel_all_waiting(self, pictures: int) -> None:
        """Every picture that waits for another attempt is cancelled."""
        self.waiting = 0
        self.cancelled += pictures

    def pass_over(self) -> None:
        """The cursor passes over a picture that ended before its turn."""
        self.ahead -= 1

    def forget_ahead(self, pictures: int) -> None:
        """Pictures that were cancelled before their turn are as if they had not been."""
        self.ahead -= pictures
        self.cancelled -= pictures

    def resize(self, quantity: int) -> None:
        self.quantity = quantity

    # Pictures that had ended.

    def retry_failed(self, pictures: int) -> None:
        """Failed pictures wait for another attempt."""
        self.failed -= pictures
        self.waiting += pictures

    def retry_cancelled(self) -> None:
        """A cancelled picture waits for another attempt."""
        self.cancelled -= 1
        self.waiting += 1

    def retry_unwritten(self, ahead: int) -> None:
        """Pictures that failed for want of prompts are to come, but for those that ended before their turn."""
        self.failed = 0
        self.ahead = ahead

    def reopen_failed(self) -> None:
        """A failed picture is in flight again."""
        self.failed -= 1
        self.in_flight += 1

    def reopen_cancelled(self) -> None:
        """A cancelled picture is in flight again."""
        self.cancelled -= 1
        self.in_flight += 1

    def count_retry(self) -> None:
        """Pictures that had ended are made after all: the contact sheet is another one."""
        self.retries += 1

    # Prompts, and statuses.

    def ask_prompts(self, written: int) -> None:
        """Prompts are asked for that follow those that are written."""
        self.asked = written + 1

    def receive_prompts(self, written: int) -> None:
        """An answer has come; nothing is on its way."""
        self.asked = written

    def discard_prompts(self) -> None:
        """An answer that is on its way counts for nothing."""
        self.amended += 1
        self.asked = 0

    def next_status(self, taken_back: int) -> None:
        """Another status is made."""
        self.taken_back = taken_back
        self.revision += 1

    # What was measured.

    def count_generation(self, seconds: float, gpu_util: float | None) -> None:
        self.seconds_sum += seconds
        self.timed += 1
        if gpu_util is not None:
            self.gpu_util_sum += gpu_util
            self.gpu_util_count += 1

    def count_verdict(self, accepted: bool) -> None:
        self.judged += 1
        self.rejected += not accepted

    def count_cost(self, micros: int) -> None:
        self.cost_micros += micros
        self.costed += 1


def add_embedding(tally: Tally, embedding: bytes, sign: int = 1) -> None:
    """Add a unit vector (little-endian float16) to the sum, or take it back with the `sign` -1; vectors of another
    length than the first are left out."""
    vector = array("d", (sign * value for value in _floats(embedding)))
    if tally.embedding_sum is None:
        total = vector
    else:
        total = array("d", tally.embedding_sum)
        if len(total) != len(vector):
            return
        total = array("d", (a + b for a, b in zip(total, vector, strict=True)))
    tally.embedding_sum = total.tobytes()
    tally.embedded += sign


def consistency(tally: Tally) -> float | None:
    """Mean cosine over all pairs of the unit vectors e: (|sum e|^2 - n) / (n (n - 1)), held to 0..1; null below two."""
    count = tally.embedded
    if count < 2 or tally.embedding_sum is None:
        return None
    total = array("d", tally.embedding_sum)
    square = sum(value * value for value in total)
    return round(min(1.0, max(0.0, (square - count) / (count * (count - 1)))), 4)


def status_of(batch: str, state: BatchState, tally: Tally, stand_in: str | None) -> GenerationStatus:
    """The status that the counts make. Its state is left out while pictures are made, and where all were stored."""
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
            cost_per_image=_cost_per_image(tally),
            stand_in=stand_in or UNSET,
            state=UNSET if state == "running" or state == "completed" else state,
            reused=tally.reused or UNSET,
            error=BUDGET_USED_UP if tally.budget_used_up else UNSET,
        ),
        hash=batch,
    )


def _has_cost(tally: Tally) -> bool:
    """Whether it is known what the pictures cost: where all of them were stored already, nothing."""
    return tally.costed > 0 or (tally.reused > 0 and not tally.timed)


def _cost_per_image(tally: Tally) -> float | None:
    """In dollars, to the micro-dollar; null where nothing has a price."""
    return round(tally.cost_micros / tally.completed) / 1e6 if tally.completed and _has_cost(tally) else None


def _mean(total: float, count: int) -> float | None:
    return round(total / count, 4) if count else None


def _floats(embedding: bytes) -> "array[float]":
    count = len(embedding) // 2
    return array("d", struct.unpack(f"<{count}e", embedding[: 2 * count]))
