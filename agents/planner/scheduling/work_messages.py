"""Work messages made of a batch: the next page of prompts, one picture, a contact sheet."""

from msgspec import UNSET

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import PROMPTS_PER_PAGE
from agents.planner.ledger.unit_of_work import UnitOfWork
from agents.planner.planning.attempts import seed_of
from agents.planner.planning.reference_images import add_combo_references
from agents.planner.planning.variation import prompt_wishes, vary
from agents.planner.scheduling.upgrade import upgrade_job
from protocol.ids import image_id
from protocol.messages import Job, MakeContactSheet, Prompt, WritePrompts
from protocol.pixels import pixel_spec


def prompts_request(batch: Batch, most: int = PROMPTS_PER_PAGE) -> WritePrompts:
    """The request for the next page of prompts, of `most` at the most."""
    command, recipe = batch.command, batch.recipe
    count = min(most, batch.quantity - batch.written)
    wished = prompt_wishes(command, recipe, batch.written, count)
    return WritePrompts(
        hash=batch.hash,
        client_id=batch.client_id,
        first=batch.written,
        revision=batch.tally.amended,
        count=len(wished) or count,
        seed=batch.seed,
        style=recipe.style,
        style_reference=recipe.style_reference,
        brief=command.brief,
        subjects=command.subjects,
        prompts=command.prompts,
        negative_prompt=command.negative_prompt,
        negative_supported=recipe.negative_supported,
        platform=recipe.platform,
        triggers=recipe.triggers,
        wishes=wished,
        catalogue=recipe.catalogue.blob if recipe.catalogue else None,
    )


def job_of_attempt(books: UnitOfWork, batch: Batch, index: int, attempt: int) -> Job:
    """One attempt at a picture whose prompt is written."""
    if batch.parent is not None:
        return upgrade_job(batch, books.original_job(batch.hash, index), index, attempt)
    return build_job(batch, books.prompt(batch.hash, index), index, attempt)


def build_job(batch: Batch, prompt: Prompt, index: int, attempt: int) -> Job:
    recipe = batch.recipe
    job = Job(
        hash=batch.hash,
        client_id=batch.client_id,
        index=index,
        attempt=attempt,
        image_id=image_id(batch.hash, index),
        pixels=pixel_spec(
            recipe.pixels,
            prompt=prompt.text,
            negative_prompt=prompt.negative,
            references=prompt.references,
            seed=seed_of(batch.seed, index, attempt),
            image_prompts=add_combo_references(recipe.pixels.image_prompts, prompt.references, recipe.following),
        ),
        prompt_origin=prompt.origin,
        platform=recipe.platform,
        models=recipe.models,
        stand_in_for=recipe.stand_in_for,
        style=recipe.style,
        section=batch.command.section,
        min_score=recipe.min_score,
        created_at=batch.created_text,
        metadata=batch.command.metadata,
        priority=batch.priority,
    )
    return vary(job, batch.command, recipe, batch.seed)


def contact_sheet_request(batch: Batch) -> MakeContactSheet:
    """The request for a batch's contact sheet; it is drawn anew after every retry."""
    return MakeContactSheet(
        hash=batch.hash,
        client_id=batch.client_id,
        edition=batch.tally.retries,
        brief=batch.command.brief or UNSET,
        quantity=batch.quantity,
    )
