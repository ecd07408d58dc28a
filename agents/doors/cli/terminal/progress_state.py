"""What is known of a batch while it is being made, picture by picture. Pure: news in, rows out."""

from dataclasses import dataclass, field
from typing import Literal

from msgspec import UNSET

from protocol.messages import Progress
from protocol.results import Image, ImageStatus, StatusBody

Phase = Literal["waiting", "starting", "drawing", "judging", "again", "stored", "failed", "cancelled"]

_PHASE_OF_STATUS: dict[ImageStatus, Phase] = {
    "pending": "waiting",
    "running": "starting",
    "retry": "again",
    "completed": "stored",
    "failed": "failed",
    "cancelled": "cancelled",
    "paused": "waiting",
}
FINAL_PHASES: frozenset[Phase] = frozenset({"stored", "failed", "cancelled"})


@dataclass(frozen=True)
class Row:
    """One picture. `done` is the part of its denoising steps, 0 to 1, null when it is not being drawn."""

    index: int
    phase: Phase
    attempt: int
    step: int | None = None
    steps: int | None = None
    score: float | None = None
    seed: int | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def fraction_done(self) -> float | None:
        if self.step is None or not self.steps:
            return None
        return min(1.0, (self.step + 1) / self.steps)


@dataclass
class BatchProgress:
    """The state of a display. Lossy news may come late or never; the planner's word on a picture is final."""

    quantity: int
    status: StatusBody | None = None
    images: dict[int, Image] = field(default_factory=dict[int, Image])
    progress: dict[int, Progress] = field(default_factory=dict[int, Progress])
    first_open: int = 0
    """Index of the first picture that is not final: where to look for news."""
    _final: int = 0

    def apply_progress(self, news: Progress) -> None:
        """Take news of an attempt, unless a later attempt was seen already."""
        known = self.progress.get(news.ref.index)
        if known is None or (known.ref.attempt, known.step) <= (news.ref.attempt, news.step):
            self.progress[news.ref.index] = news

    def apply_status(self, status: StatusBody) -> None:
        """Take the counts of the batch, unless newer ones are known: finished pictures never become fewer."""
        if self.status is None or count_finished(status) >= count_finished(self.status):
            self.status = status

    def apply_images(self, images: list[Image]) -> list[Row]:
        """Take the planner's word on pictures; returns the rows that have just become final."""
        fresh: list[Row] = []
        for image in images:
            before = self.row(image.index).phase
            self.images[image.index] = image
            now = self.row(image.index)
            if now.phase in FINAL_PHASES and before not in FINAL_PHASES:
                fresh.append(now)
        self._final += len(fresh)
        while self.row(self.first_open).phase in FINAL_PHASES:
            self.first_open += 1
        return fresh

    @property
    def finished_count(self) -> int:
        """Pictures that will not change any more: stored, failed or cancelled."""
        return max(self._final, count_finished(self.status) if self.status else 0)

    @property
    def is_over(self) -> bool:
        """Whether no picture is left to make."""
        return self.finished_count >= self.quantity

    def row(self, index: int) -> Row:
        """One picture as it is known now."""
        image, progress = self.images.get(index), self.progress.get(index)
        phase: Phase = _PHASE_OF_STATUS[image.status] if image else "waiting"
        attempt = max(image.attempts if image else 0, progress.ref.attempt if progress else 0)
        if phase in FINAL_PHASES and image:
            return Row(
                index=index,
                phase=phase,
                attempt=attempt,
                score=image.quality_score,
                seed=image.metadata.seed if image.metadata else None,
                seconds=image.metadata.processing_time_s if image.metadata else None,
                error=image.error.message if image.error else None,
            )
        if progress and progress.ref.attempt >= attempt and progress.stage == "generator":
            drawn = progress.step + 1 >= progress.steps
            phase = "judging" if drawn else "drawing"
            return Row(index=index, phase=phase, attempt=attempt, step=progress.step, steps=progress.steps)
        return Row(index=index, phase=phase, attempt=attempt)

    def rows(self, most: int) -> list[Row]:
        """At most `most` rows by index: those being made, then the last finished, then the next waiting."""
        rows = [self.row(index) for index in self._indices_to_show(most)]
        by_use = sorted(rows, key=lambda row: (_rank(row), -row.index if row.phase in FINAL_PHASES else row.index))
        return sorted(by_use[:most], key=lambda row: row.index)

    def _indices_to_show(self, most: int) -> list[int]:
        """Indices worth a row; a batch of a million is not walked through."""
        known = self.images.keys() | self.progress.keys()
        return sorted(known | set(range(min(self.quantity, len(known) + most))))


def count_finished(status: StatusBody) -> int:
    """Pictures of a batch that are completed, failed or cancelled."""
    failed = 0 if status.failed is UNSET else status.failed
    cancelled = 0 if status.cancelled is UNSET else status.cancelled
    return status.completed + failed + cancelled


def _rank(row: Row) -> int:
    if row.phase in ("starting", "drawing", "judging", "again"):
        return 0
    return 1 if row.phase in FINAL_PHASES else 2
