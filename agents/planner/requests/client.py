"""The planner's desk: answers commands. One method per command; each returns a reply or raises an `AcpError`."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

import msgspec
import structlog
from sqlalchemy import Connection

from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.inputs.image_loader import ImageLoader
from agents.planner.ledger.batches import Batch, load_batch
from agents.planner.ledger.states import ENDED_BATCH_STATES, BatchState
from agents.planner.ledger.tally import Tally
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.planning import lora_syntax, time_limits
from agents.planner.planning.capabilities import merge_presences
from agents.planner.planning.recipe import Defaults, Recipe, alternatives, resolve
from agents.planner.planning.variation import count_pictures
from agents.planner.requests import cost_report, replies
from agents.planner.scheduling import upgrade
from agents.planner.scheduling.hand_out import first_prompts
from agents.planner.scheduling.window import Window
from agents.planner.transitions import accept
from agents.planner.transitions.client_commands import BatchCommand, apply_batch_command, picture_index
from agents.shared.database.group_commit import GroupCommit
from bus.agent import Outlet
from protocol.commands import (
    Amend,
    Approve,
    Cancel,
    Capabilities,
    Command,
    Costs,
    GenerateImages,
    List,
    Pause,
    Priority,
    Result,
    Resume,
    Retry,
    Status,
    Upgrade,
)
from protocol.errors import AcpError, BadCommand, Refused, Unavailable
from protocol.ids import is_id, new_batch_hash
from protocol.messages import Job, Presence
from protocol.replies import CostReport, ErrorReply, GenerationPlan, GenerationStatus, Reply

log = structlog.get_logger()

MAX_WAIT_S = 30.0
"""Longest that GENERATION_RESULT keeps a client waiting; then it gets the status and the hash."""

MAX_PROMPTS_WAIT_S = 0.4
"""How long a plan waits for its first prompts, so that it can show them and still answer within a second."""

HOLD_LIFETIME_S = 3600.0
"""Life of a held plan."""

Publish = Callable[[Change], Awaitable[None]]


class ClientRequests:
    """Answers commands from the ledger and from what is alive."""

    def __init__(
        self,
        ledger: GroupCommit,
        outlet: Outlet,
        publish: Publish,
        defaults: Defaults,
        window: Window,
        shelves: CatalogueLoader,
        sources: ImageLoader,
    ) -> None:
        self._ledger = ledger
        self._outlet = outlet
        self._publish = publish
        self._defaults = defaults
        self._window = window
        self._catalogue_loader = shelves
        self._image_loader = sources
        # An event lives as long as somebody waits for it, so that a million batches leave nothing behind.
        self._change_events: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def wake_waiting(self, batch: str) -> None:
        """Tell those who wait for a batch that it changed."""
        if event := self._change_events.pop(batch, None):
            event.set()

    def _change_event(self, batch: str) -> asyncio.Event:
        """Set at the next change of a batch. Take it before looking at the batch, so that no change is missed."""
        event = self._change_events.get(batch)
        if event is None:
            event = self._change_events[batch] = asyncio.Event()
        return event

    async def answer(self, command: Command, client: str) -> Reply:
        """The reply to a command of `client`, the client that the subject names.

        Raises:
            AcpError: the command cannot be done.
        """
        if not is_id(client):
            raise BadCommand(
                "invalid_value",
                f"{client[:64]!r} is no client id",
                path="subject",
                hint="letters, digits, _ and -",
            )
        if command.client_id is not None and command.client_id != client:
            raise BadCommand(
                "client_mismatch",
                f"client_id {command.client_id!r} came on the subject of {client!r}",
                path="$.client_id",
                hint=f"leave it out, or send to acp.v1.command.{command.client_id}",
            )
        match command:
            case GenerateImages():
                return await self._generate(command, client)
            case Approve():
                return await self._approve(command, client)
            case Status():
                return (await self._load_owned_batch(command.hash, client)).status
            case Result():
                await self._wait_for_end(command.hash, client, command.wait_s)
                return await self._result_reply(command.hash, client, command.first, command.count)
            case List():
                return await self._ledger.read(
                    lambda connection: replies.batch_list_reply(connection, client, command.first, command.count)
                )
            case Capabilities():
                presences = await self._outlet.presences()
                return replies.capabilities_reply(list(presences), merge_presences(presences), self._defaults.stand_in)
            case Pause() | Resume() | Cancel() | Retry() | Priority() | Amend():
                return await self._apply_batch_command(command, client)
            case Upgrade():
                return await self._upgrade(command, client)
            case Costs():
                return await self._cost_report(command, client)
            case _:
                raise Refused("not_supported", "this command is not supported by this version", path="$.cmd")

    async def _generate(self, command: GenerateImages, client: str) -> Reply:
        payload = hashlib.sha256(msgspec.json.encode(command)).hexdigest()
        command = lora_syntax.move_tags_to_loras(command)
        presences = await self._outlet.presences()
        # Looked up first, because what was planned once stays planned when the workshop can do less today.
        batch = await self._ledger.read(
            lambda connection: accept.find_batch_of_command(connection, client, command.command_id, payload)
        )
        if batch is None:
            workshop = merge_presences(presences)
            try:
                shelf, given = (
                    await self._catalogue_loader.load(command),
                    await self._image_loader.load(command, client),
                )
                recipe = resolve(command, workshop, self._defaults, shelf, given)
            except Refused as error:
                works = alternatives(error.body, workshop, self._defaults)
                return replies.refusal_reply(error.body, command.requirements.quantity, works)
            try:
                batch = await self._accept(command, client, recipe, payload, presences)
            except Refused as error:
                return _over_budget_reply(error, command.requirements.quantity)
        match command.respond_format:
            case "GENERATION_PLAN":
                return await self._reply_with_plan(batch, presences)
            case "GENERATION_STATUS":
                return (await self._load_owned_batch(batch.hash, client)).status
            case "GENERATION_RESULT":
                if not await self._wait_for_end(batch.hash, client, MAX_WAIT_S):
                    return (await self._load_owned_batch(batch.hash, client)).status
                return await self._result_reply(batch.hash, client, 0, 100)

    async def _accept(
        self,
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
        time_limits.check_times(command, now)
        quantity = count_pictures(command, recipe)
        cost = replies.estimated_cost(recipe, quantity)
        dear = self._defaults.hold_over is not None and cost is not None and cost.amount > self._defaults.hold_over
        held = command.hold or dear
        seconds = replies.estimated_seconds(recipe, quantity, _count_generators(presences))
        notes = time_limits.deadline_warnings(command, seconds, now)
        if dear and not command.hold:
            notes.append(f"held: the estimated cost is above {self._defaults.hold_over:g} USD")
        recipe = msgspec.structs.replace(recipe, warnings=[*recipe.warnings, *notes])
        proposed = Batch(
            hash=new_batch_hash(),
            client_id=client,
            state=BatchState.HELD if held else BatchState.RUNNING,
            command=command,
            recipe=recipe,
            seed=command.seed if command.seed is not None else secrets.randbelow(2**32),
            quantity=quantity,
            cursor=0,
            written=0,
            tally=Tally(quantity=quantity),
            approval=secrets.token_hex(16) if held else None,
            expires_at=now + HOLD_LIFETIME_S if held else None,
            contact_sheet=None,
            created_at=now,
            priority=time_limits.class_of_service(command.priority, quantity),
            parent=parent,
            not_before=time_limits.epoch_seconds(command.not_before),
            deadline=time_limits.epoch_seconds(command.deadline),
        )

        def work(connection: Connection) -> tuple[Batch, Change]:
            batch, change = accept.accept(
                connection,
                proposed,
                command.command_id,
                payload,
                self._window,
                now,
                originals,
                self._defaults.open_door,
            )
            return batch, enqueue(connection, change, now)

        batch, change = await self._ledger.write(work)
        await self._publish(change)
        return batch

    async def _reply_with_plan(self, batch: Batch, presences: Sequence[Presence]) -> GenerationPlan:
        patience = MAX_PROMPTS_WAIT_S if any(presence.role == "prompt" for presence in presences) else 0.0
        prompts = await self._wait_for_prompts(batch, patience)
        shown = prompts[: replies.MAX_SHOWN_PROMPTS]
        return replies.plan_reply(batch, shown, _count_generators(presences))

    async def _wait_for_prompts(self, batch: Batch, patience: float) -> list[str]:
        """The texts of the first page of prompts; empty where it is not written within `patience` seconds."""
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            changed = self._change_event(batch.hash)
            prompts = await self._ledger.read(lambda connection: first_prompts(connection, batch))
            if prompts:
                return prompts
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                return []

    async def _approve(self, command: Approve, client: str) -> Reply:
        batch = await self._load_owned_batch(command.hash, client)
        if batch.approval is None or not secrets.compare_digest(batch.approval, command.approval):
            raise Refused("wrong_state", "this is not the approval token of the plan", path="$.approval")
        now = time.time()
        change = await self._ledger.write(
            lambda connection: enqueue(connection, accept.approve(connection, batch, self._window, now), now)
        )
        await self._publish(change)
        return (await self._load_owned_batch(command.hash, client)).status

    async def _apply_batch_command(self, command: BatchCommand, client: str) -> GenerationStatus:
        """Carry out what a client asks of its batch; returns where the batch stands after it."""
        now = time.time()

        def work(connection: Connection) -> Change:
            batch = _require_owned(load_batch(connection, command.hash), command.hash, client)
            return enqueue(connection, apply_batch_command(connection, batch, command, self._window, now), now)

        change = await self._ledger.write(work)
        await self._publish(change)
        if isinstance(command, Pause):
            await self._purge_generation(command.hash)
        assert change.status is not None
        return change.status

    async def _purge_generation(self, name: str) -> None:
        """Empty the generators' queue of a paused batch. What stays in it costs a few pictures and no more."""
        try:
            await self._outlet.purge_generation(name)
        except Unavailable as error:
            log.warning("queued work of a paused batch stays in the queue", batch=name, error=str(error))

    async def _upgrade(self, command: Upgrade, client: str) -> Reply:
        if command.resolution is None and command.render_quality is None:
            raise BadCommand(
                "missing_field",
                "an upgrade needs a resolution or a render_quality",
                path="$.resolution",
                hint='"resolution": "2048x2048", or "render_quality": "hd"',
            )
        payload = hashlib.sha256(msgspec.json.encode(command)).hexdigest()
        presences = await self._outlet.presences()
        batch = await self._ledger.read(
            lambda connection: accept.find_batch_of_command(connection, client, command.command_id, payload)
        )
        if batch is None:
            parent = await self._load_owned_batch(command.hash, client)
            originals = await self._original_jobs(parent, command)
            quantity = parent.tally.completed if originals is None else len(originals)
            order = upgrade.command_of(parent, command, quantity)
            workshop = merge_presences(presences)
            try:
                given = await self._image_loader.load(order, client)
                recipe = upgrade.recipe_of(resolve(order, workshop, self._defaults, given=given))
            except Refused as error:
                return replies.refusal_reply(error.body, quantity, alternatives(error.body, workshop, self._defaults))
            try:
                batch = await self._accept(order, client, recipe, payload, presences, parent.hash, originals)
            except Refused as error:
                return _over_budget_reply(error, quantity)
        return await self._reply_with_plan(batch, presences)

    async def _original_jobs(self, parent: Batch, command: Upgrade) -> list[Job] | None:
        """The jobs of the pictures that an upgrade names; null where it means all of a batch that has ended."""
        if not command.image_ids:
            if parent.state not in ENDED_BATCH_STATES or not parent.tally.completed:
                raise Refused(
                    "wrong_state",
                    f"{parent.hash} is {parent.state} with {parent.tally.completed} pictures completed",
                    path="$.hash",
                    hint="wait for its end, or name finished pictures in image_ids",
                )
            return None
        indices = sorted({picture_index(parent, name, f"$.image_ids[{n}]") for n, name in enumerate(command.image_ids)})
        jobs = await self._ledger.read(lambda connection: upgrade.completed_jobs_at(connection, parent.hash, indices))
        if unfinished := set(indices) - {job.index for job in jobs}:
            raise Refused(
                "wrong_state",
                f"picture {min(unfinished)} of {parent.hash} is not completed",
                path="$.image_ids",
                hint="see RESULT",
            )
        return jobs

    async def _cost_report(self, command: Costs, client: str) -> CostReport:
        report = await self._ledger.read(lambda connection: cost_report.report(connection, client, command))
        if command.hash is not None and report.costs.total.cost is None:
            await self._load_owned_batch(command.hash, client)  # one that is the client's and was charged nothing
        return report

    async def _load_owned_batch(self, name: str, client: str) -> Batch:
        return _require_owned(await self._ledger.read(lambda connection: load_batch(connection, name)), name, client)

    async def _wait_for_end(self, name: str, client: str, seconds: float) -> bool:
        """Whether the batch ended, its contact sheet included, within `seconds`."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            changed = self._change_event(name)
            batch = await self._load_owned_batch(name, client)
            sheet_due = batch.contact_sheet is None and batch.tally.completed > 0
            if batch.state in ENDED_BATCH_STATES and not sheet_due:
                return True
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                return batch.state in ENDED_BATCH_STATES

    async def _result_reply(self, name: str, client: str, first: int, count: int) -> Reply:
        batch = await self._load_owned_batch(name, client)
        return await self._ledger.read(lambda connection: replies.result_reply(connection, batch, first, count))


def _count_generators(presences: Sequence[Presence]) -> int:
    return sum(presence.role == "generator" for presence in presences)


def _require_owned(batch: Batch | None, name: str, client: str) -> Batch:
    if batch is None or batch.client_id != client:
        raise Refused("unknown_batch", f"there is no batch {name!r} of this client", path="$.hash", hint="see LIST")
    return batch


def error_reply(error: AcpError) -> ErrorReply:
    """An error as the reply that a client gets."""
    return ErrorReply(error=error.body)


def _over_budget_reply(error: Refused, quantity: int) -> GenerationPlan:
    """The refused plan of a batch that costs too much; every other refusal goes on its way."""
    if error.code != "exceeds_budget":
        raise error
    return replies.refusal_reply(error.body, quantity, [])
