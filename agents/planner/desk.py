"""The planner's desk: answers commands. One method per command; each returns a reply or raises an `AcpError`."""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Connection

from agents.database.group_commit import GroupCommit
from agents.planner import answers, intake
from agents.planner.recipe import Defaults, Recipe, alternatives, resolve, survey
from agents.planner.rows import Batch, load_batch
from agents.planner.tally import Tally
from agents.planner.window import Change, first_prompts
from bus.agent import Outlet
from protocol.commands import (
    Approve,
    Cancel,
    Capabilities,
    Command,
    GenerateImages,
    List,
    Result,
    Status,
)
from protocol.errors import AcpError, BadCommand, Refused
from protocol.ids import is_id, new_batch_hash
from protocol.messages import CancelBatch, Presence, Prompt
from protocol.replies import ErrorReply, GenerationPlan, Reply

MAX_WAIT_S = 30.0
"""Longest that GENERATION_RESULT keeps a client waiting; then it gets the status and the hash."""

PROMPTS_WAIT_S = 0.4
"""How long a plan waits for its first prompts, so that it can show them and still answer within a second."""

HELD_FOR_S = 3600.0
"""Life of a held plan."""

Publish = Callable[[Change], Awaitable[None]]


class Desk:
    """Answers commands from the ledger and from what is alive."""

    def __init__(self, ledger: GroupCommit, outlet: Outlet, publish: Publish, defaults: Defaults, window: int) -> None:
        self._ledger = ledger
        self._outlet = outlet
        self._publish = publish
        self._defaults = defaults
        self._window = window
        # An event lives as long as somebody waits for it, so that a million batches leave nothing behind.
        self._changed: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def wake(self, batch: str) -> None:
        """Tell those who wait for a batch that it changed."""
        if event := self._changed.pop(batch, None):
            event.set()

    def _change_of(self, batch: str) -> asyncio.Event:
        """Set at the next change of a batch. Take it before looking at the batch, so that no change is missed."""
        event = self._changed.get(batch)
        if event is None:
            event = self._changed[batch] = asyncio.Event()
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
                return (await self._batch(command.hash, client)).status
            case Result():
                await self._wait(command.hash, client, command.wait_s)
                return await self._result(command.hash, client, command.first, command.count)
            case List():
                return await self._ledger.read(
                    lambda connection: answers.list_of(connection, client, command.first, command.count)
                )
            case Capabilities():
                presences = await self._outlet.presences()
                return answers.capabilities_of(list(presences), survey(presences), self._defaults.stand_in)
            case Cancel():
                return await self._cancel(command, client)
            case _:
                raise Refused("not_supported", "this command is not supported by this version", path="$.cmd")

    async def _generate(self, command: GenerateImages, client: str) -> Reply:
        payload = hashlib.sha256(msgspec.json.encode(command)).hexdigest()
        presences = await self._outlet.presences()
        # Looked up first, because what was planned once stays planned when the workshop can do less today.
        batch = await self._ledger.read(
            lambda connection: intake.known(connection, client, command.command_id, payload)
        )
        if batch is None:
            workshop = survey(presences)
            try:
                recipe = resolve(command, workshop, self._defaults)
            except Refused as error:
                works = alternatives(error.code, workshop, self._defaults)
                return answers.refusal_of(error.body, command.requirements.quantity, works)
            batch = await self._begin(command, client, recipe, payload)
        match command.respond_format:
            case "GENERATION_PLAN":
                return await self._plan(batch, presences)
            case "GENERATION_STATUS":
                return (await self._batch(batch.hash, client)).status
            case "GENERATION_RESULT":
                if not await self._wait(batch.hash, client, MAX_WAIT_S):
                    return (await self._batch(batch.hash, client)).status
                return await self._result(batch.hash, client, 0, 100)

    async def _begin(self, command: GenerateImages, client: str, recipe: Recipe, payload: str) -> Batch:
        """The batch of a new command, or that of an equal one which was quicker."""
        now = time.time()
        proposed = Batch(
            hash=new_batch_hash(),
            client_id=client,
            state="held" if command.hold else "running",
            command=command,
            recipe=recipe,
            seed=command.seed if command.seed is not None else secrets.randbelow(2**32),
            quantity=command.requirements.quantity,
            cursor=0,
            written=0,
            tally=Tally(quantity=command.requirements.quantity),
            approval=secrets.token_hex(16) if command.hold else None,
            expires_at=now + HELD_FOR_S if command.hold else None,
            contact_sheet=None,
            created_at=now,
        )
        batch, change = await self._ledger.write(
            lambda connection: intake.accept(connection, proposed, command.command_id, payload, now)
        )
        await self._publish(change)
        return batch

    async def _plan(self, batch: Batch, presences: Sequence[Presence]) -> GenerationPlan:
        generators = sum(presence.role == "generator" for presence in presences)
        patience = PROMPTS_WAIT_S if any(presence.role == "prompt" for presence in presences) else 0.0
        prompts = await self._first_prompts(batch.hash, patience)
        return answers.plan_of(batch, [prompt.text for prompt in prompts[: answers.SHOWN_PROMPTS]], generators)

    async def _first_prompts(self, name: str, patience: float) -> list[Prompt]:
        """The first page of prompts; empty where it is not written within `patience` seconds."""
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            changed = self._change_of(name)
            prompts = await self._ledger.read(lambda connection: first_prompts(connection, name))
            if prompts:
                return prompts
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                return []

    async def _approve(self, command: Approve, client: str) -> Reply:
        batch = await self._batch(command.hash, client)
        if batch.approval is None or not secrets.compare_digest(batch.approval, command.approval):
            raise Refused("wrong_state", "this is not the approval token of the plan", path="$.approval")
        change = await self._ledger.write(
            lambda connection: intake.approve(connection, batch, self._window, time.time())
        )
        await self._publish(change)
        return (await self._batch(command.hash, client)).status

    async def _cancel(self, command: Cancel, client: str) -> Reply:
        batch = await self._batch(command.hash, client)

        def work(connection: Connection) -> Change:
            current = load_batch(connection, batch.hash)
            return intake.cancel(connection, current or batch, command.what, time.time())

        change = await self._ledger.write(work)
        if command.what == "all" and not change.finished:
            await self._outlet.control("generator", CancelBatch(hash=batch.hash, client_id=client))
        await self._publish(change)
        return (await self._batch(command.hash, client)).status

    async def _batch(self, name: str, client: str) -> Batch:
        batch = await self._ledger.read(lambda connection: load_batch(connection, name))
        if batch is None or batch.client_id != client:
            raise Refused("unknown_batch", f"there is no batch {name!r} of this client", path="$.hash", hint="see LIST")
        return batch

    async def _wait(self, name: str, client: str, seconds: float) -> bool:
        """Whether the batch ended, its contact sheet included, within `seconds`."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            changed = self._change_of(name)
            batch = await self._batch(name, client)
            sheet_due = batch.contact_sheet is None and batch.tally.completed > 0
            if batch.state in ("completed", "cancelled") and not sheet_due:
                return True
            try:
                async with asyncio.timeout_at(deadline):
                    await changed.wait()
            except TimeoutError:
                return batch.state in ("completed", "cancelled")

    async def _result(self, name: str, client: str, first: int, count: int) -> Reply:
        batch = await self._batch(name, client)
        return await self._ledger.read(lambda connection: answers.result_of(connection, batch, first, count))


def error_reply(error: AcpError) -> ErrorReply:
    """An error as the reply that a client gets."""
    return ErrorReply(error=error.body)
