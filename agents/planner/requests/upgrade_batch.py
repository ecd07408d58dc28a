"""UPGRADE: finished pictures made again, larger or finer, as a batch of their own that names its parent."""

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.states import ENDED_BATCH_STATES
from agents.planner.planning.capabilities import merge_presences
from agents.planner.planning.recipe import Recipe, alternatives, resolve
from agents.planner.requests import replies
from agents.planner.requests.accept_plan import (
    accept_batch,
    digest_of,
    find_batch_of_command,
    over_budget_reply,
    reply_with_plan,
)
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import load_owned_batch
from agents.planner.scheduling import upgrade
from agents.planner.transitions.client_commands import picture_index
from protocol.commands import GenerateImages, Upgrade
from protocol.counts import format_count
from protocol.errors import BadCommand, Refused
from protocol.messages import Job
from protocol.replies import Reply


async def upgrade_batch(resources: RequestResources, command: Upgrade, client: str) -> Reply:
    """Accept the pictures that are made again; returns their plan."""
    if command.resolution is None and command.render_quality is None:
        raise BadCommand(
            "missing_field",
            "an upgrade needs a resolution or a render_quality",
            path="$.resolution",
            hint='"resolution": "2048x2048", or "render_quality": "hd"',
        )
    payload = digest_of(command)
    presences = await resources.outlet.presences()
    batch = await find_batch_of_command(resources, client, command.command_id, payload)
    if batch is None:
        parent = await load_owned_batch(resources, command.hash, client)
        originals = await _original_jobs(resources, parent, command)
        quantity = parent.tally.completed if originals is None else len(originals)
        order = upgrade.command_of(parent, command, quantity)
        workshop = await resources.earlier_seconds.complete(merge_presences(presences))
        try:
            images = await resources.image_loader.load(order, client)
            recipe = upgrade.recipe_of(resolve(order, workshop, resources.defaults, given=images))
            await _refuse_same_pictures(resources, parent, order, recipe, originals)
        except Refused as error:
            works = alternatives(error.body, workshop, resources.defaults, order.platform)
            return replies.refusal_reply(error.body, quantity, works)
        try:
            batch = await accept_batch(resources, order, client, recipe, payload, presences, parent.hash, originals)
        except Refused as error:
            return over_budget_reply(error, quantity)
    return await reply_with_plan(resources, batch, presences)


async def _refuse_same_pictures(
    resources: RequestResources, parent: Batch, order: GenerateImages, recipe: Recipe, originals: list[Job] | None
) -> None:
    """Refuse an upgrade after which every picture would be as it is.

    Raises:
        Refused: `invalid_value`.
    """
    if originals is None:
        changes = await resources.ledger.read(
            lambda connection: upgrade.changes_anything(connection, parent.hash, recipe, order)
        )
    else:
        changes = any(upgrade.remake(job, recipe, order).pixels != job.pixels for job in originals)
    if not changes:
        width, height = recipe.pixels.width, recipe.pixels.height
        raise Refused(
            "invalid_value",
            f"the pictures of {parent.hash} would be the same again: {recipe.pixels.model} makes this at "
            f"{width}x{height} with {recipe.pixels.steps} steps, as it did",
            path="$.resolution" if order.render_quality is None else "$.render_quality",
            hint="name a larger resolution that the model can make, or a render_quality of high or hd; `post` with an "
            "upscale makes larger ones of any picture",
        )


async def _original_jobs(resources: RequestResources, parent: Batch, command: Upgrade) -> list[Job] | None:
    """The jobs of the pictures that an upgrade names; null where it means all of a batch that has ended."""
    if not command.image_ids:
        if parent.state not in ENDED_BATCH_STATES or not parent.tally.completed:
            raise Refused(
                "wrong_state",
                f"{parent.hash} is {parent.state} with {format_count(parent.tally.completed, 'picture')} completed",
                path="$.hash",
                hint="wait for its end, or name finished pictures in image_ids",
            )
        return None
    indices = sorted({picture_index(parent, name, f"$.image_ids[{n}]") for n, name in enumerate(command.image_ids)})
    jobs = await resources.ledger.read(lambda connection: upgrade.completed_jobs_at(connection, parent.hash, indices))
    if unfinished := set(indices) - {job.index for job in jobs}:
        raise Refused(
            "wrong_state",
            f"picture {min(unfinished)} of {parent.hash} is not completed",
            path="$.image_ids",
            hint="see RESULT",
        )
    return jobs


HANDLERS: Handlers = {Upgrade: upgrade_batch}
