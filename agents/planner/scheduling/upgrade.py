"""Pictures that are made again, larger or better: the same seed and prompt, linked to the picture that they come from.

The batch keeps pages of its parent's jobs in place of pages of prompts.
"""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import Outcome, decode_evidence, decode_jobs
from agents.planner.ledger.states import PROMPTS_PER_PAGE, JobState
from agents.planner.ledger.tables import attempts, batches, jobs, prompt_pages
from agents.planner.planning.quality_steps import steps_of
from agents.planner.planning.recipe import Recipe
from agents.planner.planning.reference_images import add_combo_references
from agents.planner.planning.sizes import true_name
from agents.planner.planning.source_images import scale_init_image
from agents.planner.planning.sweep import with_lora_weight
from protocol.catalogue import Catalogued
from protocol.commands import GenerateImages, Upgrade
from protocol.errors import BadCommand
from protocol.ids import image_id
from protocol.messages import Job
from protocol.pixels import PixelSettings, PixelSpec
from protocol.post import size_after
from protocol.sources import InitImage
from protocol.sweep import LORA

_encode = msgspec.json.encode

_LAST_PAGE = (
    sa.select(prompt_pages.c.prompts)
    .where(prompt_pages.c.hash == sa.bindparam("of_hash"))
    .order_by(prompt_pages.c.first.desc())
    .limit(1)
)


def command_of(batch: Batch, upgrade: Upgrade, quantity: int) -> GenerateImages:
    """The command that makes `quantity` pictures of a batch again, with its model; where another stood in for that,
    with whatever is there now.

    Raises:
        BadCommand: it names no size, and the pictures have several.
    """
    parent = batch.command
    if upgrade.resolution is None and parent.sweep is not None and "resolution" in parent.sweep.values:
        raise BadCommand(
            "missing_field",
            f"the pictures of {batch.hash} have several sizes, and those of an upgrade one",
            path="$.resolution",
            hint="name the size, and in image_ids the pictures that it suits",
        )
    resolution = upgrade.resolution or parent.requirements.resolution
    return msgspec.structs.replace(
        parent,
        models=parent.models or ([] if batch.recipe.stand_in_for else [batch.recipe.pixels.model]),
        requirements=msgspec.structs.replace(parent.requirements, quantity=quantity, resolution=resolution),
        render_quality=upgrade.render_quality or parent.render_quality,
        respond_format="GENERATION_PLAN",
        command_id=upgrade.command_id,
        client_id=None,
        hold=False,
        not_before=None,
        deadline=None,
        sweep=None,
        catalogue=None,
        combos=None,
    )


def recipe_of(recipe: Recipe) -> Recipe:
    """The recipe of an upgrade: its pictures were accepted before, and another attempt would make another picture."""
    kept = "an upgrade keeps its pictures, whatever they score"
    return msgspec.structs.replace(recipe, min_score=0.0, warnings=[*recipe.warnings, kept])


def completed_jobs_after(connection: Connection, parent: str, after: int, count: int) -> list[Job]:
    """Jobs of the completed pictures of a batch whose index is above `after`, at most `count`, in order."""
    return _completed_jobs(connection, parent, jobs.c.index > after, count)


def completed_jobs_at(connection: Connection, parent: str, indices: list[int]) -> list[Job]:
    """Jobs of those pictures of a batch that are completed."""
    return _completed_jobs(connection, parent, jobs.c.index.in_(indices), len(indices))


def _completed_jobs(connection: Connection, parent: str, which: sa.ColumnElement[bool], count: int) -> list[Job]:
    rows = connection.execute(
        sa.select(jobs.c.index, jobs.c.outcome)
        .where(jobs.c.hash == parent, jobs.c.state == JobState.COMPLETED, which)
        .order_by(jobs.c.index)
        .limit(count)
    ).all()
    filed = {index: msgspec.json.decode(outcome, type=Outcome).attempt for index, outcome in rows}
    made = connection.execute(
        sa.select(attempts.c.index, attempts.c.attempt, attempts.c.evidence).where(
            attempts.c.hash == parent, attempts.c.index.in_(list(filed)), attempts.c.evidence.is_not(None)
        )
    ).all()
    evidence = {index: data for index, attempt, data in made if filed[index] == attempt}
    return [decode_evidence(evidence[index]).job for index in filed if index in evidence]


def write_originals(connection: Connection, batch: Batch, count: int, now: float) -> None:
    """Write the next page of an upgrade of a whole batch; where the parent has no more pictures, the batch ends."""
    last = connection.execute(_LAST_PAGE, {"of_hash": batch.hash}).scalar_one_or_none()
    after = decode_jobs(last)[-1].index if last else -1
    assert batch.parent is not None
    found = completed_jobs_after(connection, batch.parent, after, min(count, batch.quantity - batch.written))
    if found:
        add_page(connection, batch, found, now)
    else:
        batch.quantity = batch.written
        batch.tally.resize(batch.quantity)
        fewer = sa.update(batches).where(batches.c.hash == batch.hash)
        connection.execute(fewer.values(quantity=batch.quantity, updated_at=now))


def add_page(connection: Connection, batch: Batch, originals: list[Job], now: float) -> None:
    """Keep the jobs whose pictures are made again, after those that are there."""
    connection.execute(sa.insert(prompt_pages).values(hash=batch.hash, first=batch.written, prompts=_encode(originals)))
    batch.written += len(originals)
    connection.execute(
        sa.update(batches).where(batches.c.hash == batch.hash).values(written=batch.written, updated_at=now)
    )


def upgrade_job(batch: Batch, original: Job, index: int, attempt: int) -> Job:
    """The job that makes a picture again by the upgrade's recipe. What distinguished the picture from its neighbours
    stays."""
    recipe, command = batch.recipe, batch.command
    again = remake(original, recipe, command)
    place = original.catalogued
    return msgspec.structs.replace(
        again,
        hash=batch.hash,
        index=index,
        attempt=attempt,
        image_id=image_id(batch.hash, index),
        platform=recipe.platform,
        min_score=recipe.min_score,
        created_at=batch.created_text,
        parent=original.image_id,
        priority=batch.priority,
        catalogued=_renamed(place, command.requirements.resolution, recipe.pixels) if place else None,
    )


def remake(original: Job, recipe: Recipe, command: GenerateImages) -> Job:
    """The job of a picture with the pixels that an upgrade's recipe gives it."""
    steps = steps_of(original.pixels.steps, command.render_quality)
    if recipe.pixels.model != original.pixels.model:
        steps = steps if "steps" in original.swept else recipe.pixels.steps
        original = _replace_model(original, recipe)
    return original.with_pixels(
        width=recipe.pixels.width,
        height=recipe.pixels.height,
        steps=steps,
        model=recipe.pixels.model,
        init_image=_init_image_of(original.pixels, recipe.pixels),
        controls=recipe.pixels.controls,
        motion=recipe.pixels.motion,
        image_prompts=add_combo_references(recipe.pixels.image_prompts, original.pixels.references, recipe.following),
        post=recipe.pixels.post,
    )


def changes_anything(connection: Connection, parent: str, recipe: Recipe, command: GenerateImages) -> bool:
    """Whether an upgrade of all completed pictures of a batch would make another picture of any of them."""
    after = -1
    while page := completed_jobs_after(connection, parent, after, PROMPTS_PER_PAGE):
        if any(remake(job, recipe, command).pixels != job.pixels for job in page):
            return True
        after = page[-1].index
    return False


def _renamed(place: Catalogued, resolution: str | None, pixels: PixelSettings) -> Catalogued:
    """The place of a picture whose size is another one, which its name says."""
    size = size_after(pixels.post, pixels.width, pixels.height)
    return msgspec.structs.replace(place, quality=true_name(resolution or place.quality, size))


def _replace_model(original: Job, recipe: Recipe) -> Job:
    """A picture that another model stood in for, or that its own now cannot make: all that belongs to a model is the
    recipe's, but what was swept."""
    swept, loras = original.swept, recipe.pixels.loras
    for name in swept.keys() & {f"{LORA}{lora.name}" for lora in loras}:
        loras = with_lora_weight(loras, name, swept[name])
    own = {name: getattr(recipe.pixels, name) for name in ("guidance", "sampler") if name not in swept}
    changed = msgspec.structs.replace(original, models=recipe.models, stand_in_for=recipe.stand_in_for)
    return changed.with_pixels(loras=loras, **own)


def _init_image_of(original: PixelSpec, recipe: PixelSettings) -> InitImage | None:
    """What a picture is made from again, scaled with it. The pixels of the recipe are those that are there now."""
    start = scale_init_image(original.init_image, (original.width, original.height), (recipe.width, recipe.height))
    if start is None or recipe.init_image is None:
        return start
    return msgspec.structs.replace(start, blob=recipe.init_image.blob, mask=recipe.init_image.mask)
