"""From a wish to an accepted batch and its plan: GENERATE_IMAGES, and what UPGRADE shares with it."""

import asyncio
import hashlib
import time
from collections.abc import Sequence

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy import Connection

from agents.planner.ledger.batches import Batch
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.planning.capabilities import merge_presences
from agents.planner.planning.command_texts import read_texts
from agents.planner.planning.delegation import check_own_work
from agents.planner.planning.recipe import Recipe, alternatives, resolve
from agents.planner.requests import replies
from agents.planner.requests.batch_queries import result_page
from agents.planner.requests.dry_run import plan_dry_run
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import load_owned_batch, wait_for_end
from agents.planner.requests.proposed_batch import count_generators, propose_batch
from agents.planner.scheduling.hand_out import first_prompts
from agents.planner.transitions import accept
from protocol.commands import GenerateImages, Upgrade
from protocol.errors import BadCommand, Refused
from protocol.messages import Job, Presence
from protocol.plans import GenerationPlan
from protocol.replies import Reply

MAX_WAIT_S = 30.0
"""Longest that GENERATION_RESULT keeps a client waiting; then it gets the status and the hash."""

MAX_PROMPTS_WAIT_S = 0.4
"""How long a plan waits for its first prompts, so that it can show them and still answer within a second."""


async def generate_images(resources: RequestResources, command: GenerateImages, client: str) -> Reply:
    """Accept the pictures that a client wishes for; returns their plan, or what the command asks for instead."""
    dry_run = command.dry_run is True
    if command.dry_run_first is not UNSET and not dry_run:
        raise BadCommand(
            "invalid_value", "only a dry run lists its pictures", path="$.dry_run_first", hint='add "dry_run": true'
        )
    payload = digest_of(replace(command, dry_run=UNSET, dry_run_first=UNSET))
    presences = await resources.outlet.presences()
    # Looked up first, because what was planned once stays planned when the workshop can do less today.
    batch = await find_batch_of_command(resources, client, command.command_id, payload)
    if batch is None:
        workshop = await resources.earlier_seconds.complete(merge_presences(presences))
        read = read_texts(command, workshop)
        command = read.command
        try:
            if command.animation is None:
                check_own_work(command.brief)
            prompts = await resources.catalogue_loader.load(command, workshop.words)
            images = await resources.image_loader.load(command, client)
            recipe = resolve(command, workshop, resources.defaults, prompts, images)
            recipe = replace(
                recipe,
                not_honoured=[*read.not_honoured, *recipe.not_honoured],
                warnings=[*read.warnings, *recipe.warnings],
            )
        except Refused as error:
            works = alternatives(error.body, workshop, resources.defaults, command.platform)
            return replies.refusal_reply(error.body, command.requirements.quantity, works)
        try:
            if dry_run:
                return await plan_dry_run(resources, command, client, recipe, presences)
            batch = await accept_batch(resources, command, client, recipe, payload, presences)
        except Refused as error:
            return over_budget_reply(error, command.requirements.quantity)
    if dry_run:
        return await reply_with_plan(resources, batch, presences)
    match command.respond_format:
        case "GENERATION_PLAN":
            return await reply_with_plan(resources, batch, presences)
        case "GENERATION_STATUS":
            return (await load_owned_batch(resources, batch.hash, client)).status
        case "GENERATION_RESULT":
            if not await wait_for_end(resources, batch.hash, client, MAX_WAIT_S):
                return (await load_owned_batch(resources, batch.hash, client)).status
            return await result_page(resources, batch.hash, client, 0, 100)


def digest_of(command: GenerateImages | Upgrade) -> str:
    """What tells whether a command that came with the id of an earlier one is the same."""
    return hashlib.sha256(msgspec.json.encode(command)).hexdigest()


async def find_batch_of_command(
    resources: RequestResources, client: str, command_id: str | None, payload: str
) -> Batch | None:
    """The batch of a command that was accepted already.

    Raises:
        Refused: `command_conflict` where its id came with another command.
    """
    return await resources.ledger.read(
        lambda connection: accept.find_batch_of_command(connection, client, command_id, payload)
    )


async def accept_batch(
    resources: RequestResources,
    command: GenerateImages,
    client: str,
    recipe: Recipe,
    payload: str,
    presences: Sequence[Presence],
    parent: str | None = None,
    originals: list[Job] | None = None,
) -> Batch:
    """The batch of a new command, or that of an equal one which was quicker."""
    now = time.time()
    proposed = propose_batch(command, client, recipe, resources.defaults, count_generators(presences), now, parent)

    def work(connection: Connection) -> tuple[Batch, Change]:
        batch, change = accept.accept(
            connection,
            proposed,
            command.command_id,
            payload,
            resources.window,
            now,
            originals,
            resources.defaults.open_door,
            resources.bounds,
        )
        return batch, enqueue(connection, change, now)

    batch, change = await resources.ledger.write(work)
    await resources.changes.publish(change)
    return batch


async def reply_with_plan(resources: RequestResources, batch: Batch, presences: Sequence[Presence]) -> GenerationPlan:
    """The plan of a batch, with its first prompts where they are written in time."""
    patience = MAX_PROMPTS_WAIT_S if any(presence.role == "prompt" for presence in presences) else 0.0
    prompts = await _wait_for_prompts(resources, batch, patience)
    shown = prompts[: replies.MAX_SHOWN_PROMPTS]
    return replies.plan_reply(batch, shown, count_generators(presences))


def over_budget_reply(error: Refused, quantity: int) -> GenerationPlan:
    """The refused plan of a batch that costs too much, or nobody knows what; every other refusal goes on its way."""
    if error.code not in ("exceeds_budget", "unpriced"):
        raise error
    return replies.refusal_reply(error.body, quantity, [])


async def _wait_for_prompts(resources: RequestResources, batch: Batch, patience: float) -> list[str]:
    """The texts of the first page of prompts; empty where it is not written within `patience` seconds."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        changed = resources.changes.next_change(batch.hash)
        prompts = await resources.ledger.read(lambda connection: first_prompts(connection, batch))
        if prompts:
            return prompts
        try:
            async with asyncio.timeout_at(deadline):
                await changed.wait()
        except TimeoutError:
            return []


HANDLERS: Handlers = {GenerateImages: generate_images}
