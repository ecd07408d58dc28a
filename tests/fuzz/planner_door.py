"""The planner behind its door, in this process: its own endpoints and its own ledger, without a broker."""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from agents.planner.agent import Planner
from bus.agent import Caller, Delivery, Inbound, Outbound, Outlet
from bus.service import respond
from protocol import codec, subjects
from protocol.drafts import DraftedPrompts, DraftPrompts
from protocol.errors import AcpError
from protocol.messages import Control, Presence, Progress, Role
from protocol.replies import ErrorReply, Reply
from protocol.results import GenerationStatus
from protocol.reuse import FindStored, StoredPictures
from protocol.spending import IntentReply, Spending, SpendingCall
from tests.fuzz.doors import Unsound
from tests.fuzz.mutations import Payload
from tests.workshop import build, instant_settings

CLIENTS = (*(f"fuzz-{number}" for number in range(8)), "local", "all", "ADMIN", "a" * 65, "$x", "caf\u00e9")
"""Whose subject a command comes on."""


class SilentOutlet(Outlet):
    """A bus that says nothing further; a generator and a judge are there, and nobody who writes prompts."""

    def __init__(self, presences: Sequence[Presence]) -> None:
        self._presences = presences

    async def publish(self, *messages: Outbound, resend: int = 0) -> None: ...

    async def publish_status(self, status: GenerationStatus, client_id: str) -> None: ...

    def publish_progress(self, progress: Progress) -> None: ...

    async def publish_control(self, role: Role, message: Control) -> None: ...

    async def purge_batch(self, batch: str) -> None: ...

    async def purge_generation(self, batch: str) -> None: ...

    async def ask_about_paid_call(self, call: SpendingCall) -> IntentReply:
        raise AcpError("internal", "a planner asks nobody about paid calls")

    async def find_stored(self, question: FindStored) -> StoredPictures:
        return StoredPictures(found=[])

    async def draft_prompts(self, wanted: DraftPrompts) -> DraftedPrompts:
        return DraftedPrompts(prompts=[])

    async def presences(self) -> Sequence[Presence]:
        return self._presences


class PlannerDoor:
    """A planner that answers in the event loop of whoever asks."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._home = tempfile.TemporaryDirectory(prefix="bottega-fuzz-")

    def __enter__(self) -> Self:
        settings = instant_settings(Path(self._home.name), reconcile_s=3600.0)
        present = [build(role, settings).presence("fuzz") for role in ("generator", "qa")]
        self._planner = cast("Planner", build("planner", settings))
        running = self._planner.running(SilentOutlet(present))
        self._loop.run_until_complete(self._stack.enter_async_context(running))
        self._endpoints = {endpoint.subject: endpoint for endpoint in self._planner.endpoints()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()
        self._home.cleanup()

    def reply_to(self, pattern: str, subject: str, payload: Payload) -> Reply | Spending:
        """What a request gets."""
        answer = respond(self._endpoints[pattern], payload.data, Caller(subject, payload.headers))
        data, headers = self._loop.run_until_complete(answer)
        data = codec.unpack(data, headers)
        return codec.decode_spending(data) if pattern == subjects.LEDGER else codec.decode_reply(data)

    def ask(self, pattern: str, subject: str, payload: Payload) -> str:
        """What kind of answer a request gets.

        Raises:
            Unsound: the planner failed, instead of refusing it.
        """
        reply = self.reply_to(pattern, subject, payload)
        error = reply.error if isinstance(reply, ErrorReply | IntentReply) else None
        if error is None:
            return type(reply).__name__
        if error.code == "internal":
            raise Unsound(f"the planner failed: {codec.encode(reply)[:500]!r}")
        return f"error {error.code}"

    def handle(self, message: Inbound) -> str:
        """What kind of end a message from the stream of events has.

        Raises:
            Exception: any that is no typed refusal.
        """
        subject = subjects.subject_of(message)
        try:
            self._loop.run_until_complete(self._planner.handle(message, Delivery(subject, 1)))
        except AcpError as error:
            return f"error {error.code}"
        return "handled"
