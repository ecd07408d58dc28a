"""A plan that nobody keeps: everything is checked as for a batch, and nothing is written down, held or sent but blobs.

Those are what it names of pictures and catalogues; they are strays, which retention removes.
"""

import time
from collections.abc import Sequence

import structlog
from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.money.clients import check_admitted
from agents.planner.money.reservations import check_room
from agents.planner.planning.recipe import Recipe
from agents.planner.planning.variation import catalogue_position, variation
from agents.planner.requests import replies
from agents.planner.requests.handler import RequestResources
from agents.planner.requests.paging import fit_page
from agents.planner.requests.proposed_batch import count_generators, propose_batch
from agents.planner.scheduling.work_messages import prompts_request
from protocol.commands import GenerateImages
from protocol.drafts import DraftPrompts
from protocol.errors import AcpError
from protocol.messages import Presence
from protocol.plans import GenerationPlan, PlannedImage

log = structlog.get_logger()

MAX_LISTED_IMAGES = 1000
"""Pictures on a page of a plan."""


async def plan_dry_run(
    resources: RequestResources, command: GenerateImages, client: str, recipe: Recipe, presences: Sequence[Presence]
) -> GenerationPlan:
    """The plan of a new command.

    Raises:
        AcpError: what would refuse the command.
    """
    generators = count_generators(presences)
    batch = propose_batch(command, client, recipe, resources.defaults, generators, time.time())

    def check(connection: Connection) -> None:
        check_admitted(connection, client, resources.defaults.open_door)
        check_room(connection, batch)

    await resources.ledger.read(check)
    prompts = await _draft_prompts(resources, batch, presences)
    body = replies.plan_reply(batch, prompts, generators).generation_plan
    images = planned_images(batch, command.dry_run_first or 0)
    following = (command.dry_run_first or 0) + len(images)
    more = bool(images) and following < batch.quantity
    return GenerationPlan(
        generation_plan=replace(
            body,
            state="planned",
            approval=None,
            expires=None,
            images=images or UNSET,
            next=following if more else UNSET,
        ),
        hash=None,
    )


def planned_images(batch: Batch, first: int) -> list[PlannedImage]:
    """The pictures of a batch from an index on that a sweep or a catalogue tells apart, as many as fit a page; none
    where nothing does."""
    if batch.command.sweep is None and batch.recipe.catalogue is None:
        return []
    return fit_page(
        [_planned_image(batch, index) for index in range(first, min(batch.quantity, first + MAX_LISTED_IMAGES))]
    )


def _planned_image(batch: Batch, index: int) -> PlannedImage:
    varied = variation(batch.command, batch.recipe, index)
    place = catalogue_position(batch.command, batch.recipe, varied)
    return PlannedImage(index=index, swept=varied.swept, catalogued=place)


async def _draft_prompts(resources: RequestResources, batch: Batch, presences: Sequence[Presence]) -> list[str]:
    """The texts of the first prompts; empty where nobody writes them in time."""
    if all(presence.role != "prompt" for presence in presences):
        return []
    try:
        request = prompts_request(batch, replies.MAX_SHOWN_PROMPTS)
        drafted = await resources.outlet.draft_prompts(DraftPrompts(request=request))
    except AcpError as error:
        log.warning("a plan shows no prompts", error=str(error))
        return []
    return drafted.prompts
