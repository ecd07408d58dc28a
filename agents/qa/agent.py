"""The QA agent: a picture in, a verdict out; an accepted picture goes on to storage.

It never asks for a new attempt: that is the planner's to decide.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

import structlog
from msgspec import UNSET
from msgspec.structs import replace

from agents.pocket.language.reading import MODEL, read
from agents.pocket.paths import SCORER
from agents.qa.inspect_picture import Inspection, embed_references, inspect_picture, read_all
from agents.qa.judgement_memory import Judgement, JudgementMemory
from agents.qa.score import NEAR_DUPLICATE, NOT_JUDGED, Verdict, judge
from agents.qa.scorer import Scorer, is_installed
from agents.shared.presence import base_presence
from agents.shared.settings import Settings
from bus.agent import Agent, Delivery, Inbound, Intake, Outbound, Outlet, Watch
from bus.blobs import BlobMissing, Blobs
from bus.local_blobs import LocalBlobs
from protocol.channels import ACP_WORK
from protocol.errors import AcpError, Refused, Unavailable
from protocol.messages import (
    Assessment,
    Event,
    ImageScored,
    JobFailed,
    Presence,
    Role,
    ScoreImage,
    StoreImage,
    ref_of,
)
from protocol.quality import ANY_MODEL, TECHNICAL_QUALITY
from protocol.subjects import event_filter, work_filter

log = structlog.get_logger()

MAX_REFERENCES = 64
"""Embeddings of references that are kept: a batch follows the same ones in every picture."""


class Qa(Agent):
    """Judges pictures: those of the pocket model with `pocket`, the scorer of its world, those of all others with
    `scorer`. Without one, adherence, embedding and score are null and the other measures decide."""

    role: ClassVar[Role] = "qa"

    def __init__(
        self,
        blobs: Blobs,
        scorer: Scorer | None,
        *,
        pocket: Scorer | None = None,
        slots: int = 2,
        scoring: bool = True,
    ) -> None:
        self._blobs = blobs
        self._scorer = scorer
        self._pocket = pocket
        self._slots = slots
        self._scoring = scoring
        self._memory = JudgementMemory()
        self._references: dict[tuple[int, tuple[str, ...]], bytes | None] = {}

    def intakes(self) -> Sequence[Intake]:
        return (Intake(ACP_WORK, "qa", (work_filter("qa"),), slots=self._slots),)

    def watches(self) -> Sequence[Watch]:
        return (Watch(event_filter("scored")),) if self._scoring else ()

    def presence(self, instance: str) -> Presence:
        named = {MODEL: self._pocket, ANY_MODEL: self._scorer}
        scorers = [name for name, scorer in named.items() if scorer is not None] if self._scoring else UNSET
        return replace(base_presence(self.role, instance, self._slots), device="cpu", scorers=scorers)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        """Loads the scorer beside the first deliveries; one that does not load ends the process."""
        async with asyncio.TaskGroup() as group:
            scorers = [scorer for scorer in (self._pocket, self._scorer) if scorer is not None and self._scoring]
            if not scorers:
                log.warning("qa.no_scorer", effect="adherence and consistency are not measured")
            for scorer in scorers:
                group.create_task(asyncio.to_thread(scorer.load))
            yield

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        if not isinstance(message, ScoreImage):
            raise Refused("wrong_state", f"QA takes SCORE_IMAGE, not {type(message).__name__}")
        assessment = await self._assess(message) if self._scoring else await self._accept_unseen(message)
        said: list[Outbound] = [ImageScored(ref=ref_of(message.job), assessment=assessment)]
        # Whether it takes the place of a picture that is filed is the planner's to decide.
        if assessment.accepted and message.job.replaces is UNSET:
            said.append(StoreImage(job=message.job, picture=message.picture, assessment=assessment))
        return said

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        if not isinstance(message, ScoreImage):
            return ()
        return (JobFailed(ref=ref_of(message.job), stage=self.role, error=error.body),)

    async def observe(self, message: Event) -> None:
        """Learn the verdicts of other QA processes, and after a restart the own ones."""
        if isinstance(message, ImageScored):
            ref, assessment = message.ref, message.assessment
            self._remember(ref.hash, ref.index, ref.attempt, assessment)

    async def _assess(self, message: ScoreImage) -> Assessment:
        started = time.perf_counter()
        job = message.job
        data = await self._fetch(message)
        own = job.pixels.model == MODEL and self._pocket is not None
        scorer, reader = (self._pocket, read) if own else (self._scorer, read_all)
        found = await asyncio.to_thread(inspect_picture, data, message, scorer, reader)
        reference = None if scorer is None else await self._embed_references(message, scorer)
        # From here to `_remember` nothing is awaited: of two equal pictures that are judged at once, one is the second.
        near_duplicate = found.signature is not None and self._memory.has_near_duplicate(
            job.hash, job.index, job.attempt, found.signature
        )
        verdict = judge(found.measures, found.gates, min_score=job.min_score, near_duplicate=near_duplicate)
        assessment = Assessment(
            score=verdict.score,
            accepted=verdict.accepted,
            measures=_measures_by_name(found, verdict),
            reasons=[*verdict.reasons, *([NOT_JUDGED] if found.not_judged else [])],
            not_judged=list(found.not_judged) or UNSET,
            embedding=found.embedding,
            reference=reference or UNSET,
            signature=found.signature,
            seconds=time.perf_counter() - started,
        )
        self._remember(job.hash, job.index, job.attempt, assessment)
        log.info(
            "qa.judged",
            image=job.image_id,
            attempt=job.attempt,
            score=assessment.score,
            accepted=assessment.accepted,
            reasons=assessment.reasons,
            note=found.note,
        )
        return assessment

    async def _accept_unseen(self, message: ScoreImage) -> Assessment:
        """Accept unseen; nothing was measured, so nothing is stated."""
        if not await self._blobs.has(message.picture.blob):
            raise _pixels_missing(message)
        return Assessment(score=None, accepted=True, measures={})

    async def _embed_references(self, message: ScoreImage, scorer: Scorer) -> bytes | None:
        """The embedding of the pictures whose look is followed; null where there are none, or they are gone."""
        blobs = tuple(one.blob for one in message.job.pixels.image_prompts)
        if not blobs:
            return None
        key = id(scorer), blobs
        if key not in self._references:
            try:
                pictures = [await self._blobs.get(blob) for blob in blobs]
            except BlobMissing:
                return None
            if len(self._references) >= MAX_REFERENCES:
                self._references.clear()
            self._references[key] = await asyncio.to_thread(embed_references, pictures, scorer)
        return self._references[key]

    async def _fetch(self, message: ScoreImage) -> bytes:
        try:
            return await self._blobs.get(message.picture.blob)
        except BlobMissing as error:
            raise _pixels_missing(message) from error

    def _remember(self, batch: str, index: int, attempt: int, assessment: Assessment) -> None:
        if assessment.signature is not None:
            judgement = Judgement(
                attempt=attempt,
                signature=assessment.signature,
                accepted=assessment.accepted,
                near_duplicate=NEAR_DUPLICATE in assessment.reasons,
            )
            self._memory.record(batch, index, judgement)


def build(settings: Settings) -> Qa:
    """The QA agent of a workshop.

    Raises:
        Refused: the scorer that the settings name is not there.
    """
    folder = scorer_folder(settings)
    if folder is not None and not is_installed(folder):
        raise Refused(
            "not_installed",
            f"no scorer in {folder}: config.json or calibration.json is missing",
            hint="bottega models calibrate NAME makes a pulled one usable; unset BOTTEGA_SCORER to go without, or see "
            "agents/qa/README.md, 'Another scorer'",
        )
    return Qa(
        LocalBlobs(settings.blobs),
        Scorer(folder) if folder is not None else None,
        pocket=Scorer(SCORER) if is_installed(SCORER) else None,
        slots=settings.qa_slots,
        scoring=settings.qa_scoring,
    )


def scorer_folder(settings: Settings) -> Path | None:
    """The folder of the scorer of other models than the pocket model, or null: the one that settings name, or the first
    by name that was pulled and calibrated."""
    named = settings.scorer
    if named is not None:
        return settings.tools / named if len(named.parts) == 1 and not named.exists() else named
    return next(filter(is_installed, sorted(settings.tools.glob("*/"))), None)


def _measures_by_name(found: Inspection, verdict: Verdict) -> dict[str, float | None]:
    if found.measures is None:
        return {}
    measures = {**asdict(found.measures), TECHNICAL_QUALITY: verdict.technical_quality}
    return {name: None if v is None else round(v, 4) for name, v in measures.items()}


def _pixels_missing(message: ScoreImage) -> Unavailable:
    return Unavailable(
        "pixels_missing",
        f"the pixels of {message.job.image_id}, blob {message.picture.blob}, are not in the blob store",
        hint="generator and QA must use the same blob store",
    )
