"""Replies about plans and batches, from records. Pure, except for reads through the connections it is given."""

from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch, decode_batch
from agents.planner.ledger.records import decode_evidence, decode_outcome, decode_work
from agents.planner.ledger.states import ENDED_BATCH_STATES, BatchState, JobStage, JobState
from agents.planner.ledger.tables import attempts, batches, jobs
from agents.planner.money.reservations import highest_cost
from agents.planner.planning.pricing import BUDGET_USED_UP
from agents.planner.planning.recipe import Recipe
from agents.planner.planning.variation import catalogue_position, variation
from agents.planner.requests.paging import fit_page
from protocol.catalogue import Catalogued
from protocol.errors import ErrorBody
from protocol.ids import image_id
from protocol.messages import GenerateImage
from protocol.money import dollars
from protocol.parameters import Scalar
from protocol.plans import Cost, GenerationPlan, PlanBody, Size
from protocol.results import (
    BatchList,
    BatchListBody,
    BatchSummary,
    GenerationResult,
    Image,
    ImageMetadata,
    ImageStatus,
    ResultBody,
)

MAX_SHOWN_PROMPTS = 8
"""Prompts that a plan shows."""


def plan_reply(batch: Batch, prompts: list[str], generators: int) -> GenerationPlan:
    """The plan of an accepted or held batch."""
    recipe = batch.recipe
    return GenerationPlan(
        generation_plan=PlanBody(
            state="held" if batch.state == BatchState.HELD else "accepted",
            quantity=batch.quantity,
            platform=recipe.platform,
            provider=recipe.provider,
            models=recipe.models,
            stand_in=recipe.pixels.model if recipe.stand_in_for else None,
            size=Size(width=recipe.pixels.width, height=recipe.pixels.height),
            native_size=Size(width=recipe.native_width, height=recipe.native_height),
            steps=recipe.pixels.steps,
            guidance=recipe.pixels.guidance,
            sampler=recipe.pixels.sampler,
            engine=recipe.engine,
            stages=recipe.stages,
            min_score=recipe.min_score,
            max_attempts=recipe.max_attempts,
            prompts=prompts,
            estimated_cost=estimated_cost(recipe, batch.quantity),
            estimated_seconds=estimated_seconds(recipe, batch.quantity, generators),
            not_honoured=recipe.not_honoured,
            warnings=recipe.warnings,
            approval=batch.approval if batch.state == BatchState.HELD else None,
            expires=_iso_time(batch.expires_at) if batch.state == BatchState.HELD else None,
            metadata=batch.command.metadata,
            reserved_cost=_reserved_cost(batch),
            unknown_cost=_unknown_cost(recipe),
            loras=recipe.pixels.loras or UNSET,
            sweep=batch.command.sweep or UNSET,
        ),
        hash=batch.hash,
    )


def refusal_reply(error: ErrorBody, quantity: int, works: list[str]) -> GenerationPlan:
    """A plan that says why nothing will be made, and what would work."""
    return GenerationPlan(
        generation_plan=PlanBody(state="refused", quantity=quantity, refusal=error, alternatives=works),
        hash=None,
    )


def estimated_seconds(recipe: Recipe, quantity: int, generators: int) -> float | None:
    """Measured seconds of a picture times the quantity, shared by the live generators; null before a measurement."""
    if recipe.seconds_per_image is None:
        return None
    return round(recipe.seconds_per_image * quantity / max(1, generators), 3)


def estimated_cost(recipe: Recipe, quantity: int) -> Cost | None:
    """Price of a picture times the quantity; null where nothing is priced."""
    if recipe.price_micros is None:
        return None
    return Cost(
        amount=recipe.price_micros * quantity / 1e6,
        breakdown={"generation": recipe.price_micros * quantity / 1e6},
    )


def _reserved_cost(batch: Batch) -> Cost | UnsetType:
    """The most that a batch may cost, which is held while it runs; left out where no price is known."""
    cost = highest_cost(batch, batch.quantity)
    return UNSET if cost is None else Cost(amount=dollars(cost.total))


def _unknown_cost(recipe: Recipe) -> Literal["no_price", "not_measured"] | UnsetType:
    """Why a cost is not estimated."""
    if recipe.price_micros is not None:
        return UNSET
    return "no_price" if recipe.highest_micros is None else "not_measured"


def result_reply(connection: Connection, batch: Batch, first: int, count: int) -> GenerationResult:
    """A page of a batch's pictures: at most `count`, fewer where they would not fit into a reply."""
    last = min(batch.quantity, first + count)
    rows = {
        row["index"]: row
        for row in connection.execute(
            sa.select(jobs).where(jobs.c.hash == batch.hash, jobs.c.index >= first, jobs.c.index < last)
        ).mappings()
    }
    tried: dict[int, list[sa.RowMapping]] = {}
    for row in connection.execute(
        sa.select(attempts).where(attempts.c.hash == batch.hash, attempts.c.index >= first, attempts.c.index < last)
    ).mappings():
        tried.setdefault(row["index"], []).append(row)
    ended = batch.state in ENDED_BATCH_STATES
    unstarted = "paused" if batch.state == BatchState.PAUSED else "pending"
    missing = unstarted if not ended else "cancelled" if batch.state == BatchState.CANCELLED else "failed"
    images = fit_page(
        [
            _image(batch, rows[index], tried.get(index, []))
            if index in rows
            else _image_not_started(batch, index, missing)
            for index in range(first, last)
        ]
    )
    following = first + len(images)
    return GenerationResult(
        generation_result=ResultBody(
            state=batch.shown_state,
            quantity=batch.quantity,
            images=images,
            next=following if following < batch.quantity else None,
            contact_sheet=batch.contact_sheet or None,
            generation_status=batch.status.generation_status,
            metadata=batch.command.metadata,
            parent=batch.parent,
            device_seconds=round(batch.tally.seconds_sum, 3) if batch.tally.timed else UNSET,
        ),
        hash=batch.hash,
    )


def _image_not_started(batch: Batch, index: int, status: ImageStatus) -> Image:
    """A picture that was not handed out."""
    swept, place = _distinguishing_values(batch, index)
    return Image(
        id=image_id(batch.hash, index),
        index=index,
        status=status,
        error=BUDGET_USED_UP if batch.tally.budget_used_up else None,
        swept=swept,
        catalogued=place,
    )


def _distinguishing_values(batch: Batch, index: int) -> tuple[dict[str, Scalar], Catalogued | None]:
    """What tells a picture of a batch from the others."""
    varied = variation(batch.command, batch.recipe, index)
    return varied.swept, catalogue_position(batch.command, batch.recipe, varied)


def _image(batch: Batch, row: sa.RowMapping, tried: list[sa.RowMapping]) -> Image:
    outcome = decode_outcome(row["outcome"])
    shown = next((one for one in tried if one["attempt"] == (outcome.attempt or row["attempt"])), None)
    evidence = decode_evidence(shown["evidence"]) if shown and shown["evidence"] else None
    work = decode_work(row["message"]) if row["message"] else None
    job = evidence.job if evidence else work.job if isinstance(work, GenerateImage) else None
    picture = evidence.picture if evidence else None
    assessment = evidence.assessment if evidence else None
    swept, place = (job.swept, job.catalogued) if job else _distinguishing_values(batch, row["index"])
    spent = [one["cost_micros"] for one in tried if one["cost_micros"] is not None]
    return Image(
        id=image_id(batch.hash, row["index"]),
        index=row["index"],
        status=_image_status(
            JobState(row["state"]), JobStage(row["stage"]), row["attempt"], batch.state == BatchState.PAUSED
        ),
        image_url=outcome.url,
        storage_key=outcome.key,
        path=outcome.path,
        provider_used=picture.provider if picture else None,
        cost=Cost(amount=sum(spent) / 1e6, breakdown={"generation": sum(spent) / 1e6}) if spent else None,
        dimensions=Size(width=picture.width, height=picture.height) if picture else None,
        quality_score=shown["score"] if shown else None,
        metadata=ImageMetadata(
            generated_at=_iso_time(outcome.finished_at),
            prompt_used=job.pixels.prompt,
            revised_prompt=picture.revised_prompt if picture else None,
            model_version=picture.model_version if picture else None,
            seed=job.pixels.seed,
            processing_time_s=picture.seconds if picture and row["reused"] is None else None,
            stages=picture.stages if picture and row["reused"] is None else {},
            engine=picture.engine if picture else None,
        )
        if job
        else None,
        attempts=len(tried) if row["reused"] is None else 0,
        error=outcome.error,
        swept=swept,
        catalogued=place,
        parent=row["parent"],
        reused=row["reused"],
        not_judged=assessment.not_judged if assessment else UNSET,
        inconsistent=outcome.inconsistent if outcome.inconsistent is not None else UNSET,
    )


def _image_status(state: JobState, stage: JobStage, attempt: int, paused: bool) -> ImageStatus:
    """A job's state in the words that clients know."""
    match state:
        case JobState.COMPLETED | JobState.FAILED | JobState.CANCELLED:
            return state.value
        case JobState.WAITING:
            return "paused" if paused else "retry"
        case _ if paused and stage == JobStage.GENERATOR:
            return "paused"
        case _:
            return "retry" if attempt > 1 else "running"


def batch_list_reply(
    connection: Connection, client: str | None, first: int, count: int, name: str | None = None
) -> BatchList:
    """A page of a client's batches, newest first: at most `count`, fewer where they would not fit into a reply. Without
    a client those of all, or the one of that name, with whose they are."""
    wanted = [] if client is None else [batches.c.client_id == client]
    if name is not None:
        wanted.append(batches.c.hash == name)
    rows = (
        connection.execute(
            sa.select(batches)
            .where(*wanted)
            .order_by(batches.c.created_at.desc(), batches.c.hash)
            .offset(first)
            .limit(count + 1)
        )
        .mappings()
        .all()
    )
    shown = fit_page([_summary(decode_batch(row), named=client is None) for row in rows[:count]])
    return BatchList(
        batch_list=BatchListBody(batches=shown, next=first + len(shown) if len(rows) > len(shown) else None)
    )


def _summary(batch: Batch, named: bool) -> BatchSummary:
    return BatchSummary(
        hash=batch.hash,
        state=batch.shown_state,
        quantity=batch.quantity,
        completed=batch.tally.completed,
        failed=batch.tally.failed,
        cancelled=batch.tally.cancelled,
        brief=batch.command.brief,
        style=batch.recipe.style,
        platform=batch.recipe.stand_in_for or batch.recipe.platform,
        created_at=batch.created_text,
        priority=batch.priority,
        parent=batch.parent,
        client_id=batch.client_id if named else UNSET,
    )


def _iso_time(moment: float | None) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment is not None else None
