"""The journal of paid calls, as a provider sees it: asked before each call, and informed after it.

    intent = await journal.open_intent(job, "openai", request, max_micros)
    answer = await send(request)
    await journal.note_reference(intent, answer.id)  # where the picture comes later
    await journal.record_capture(intent, answer.micros, answer.id)

An intent that is opened and never closed counts as charged, and its attempt is not sent again by itself.
"""

import asyncio
import hashlib
import uuid
from dataclasses import dataclass

from bus.agent import Outlet
from protocol.errors import AcpError, Unavailable
from protocol.messages import Job, JobRef, ref_of
from protocol.spending import CloseIntent, IntentReply, NoteIntent, OpenIntent, SpendingCall

ASK_AGAIN_S = 0.5
"""Pause before a planner that does not answer is asked again."""

OPEN_TRIES = 3
"""Questions before a paid call is put off; the same intent is asked for each time."""


@dataclass(frozen=True)
class Intent:
    """A paid call that may be made, once. `key` is a UUID of version 4 in its canonical form, so that it can travel as
    an idempotency key or as the id of a job wherever a provider takes one."""

    ref: JobRef
    key: str


class SpendingJournal:
    """The journal, kept by the planner."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    async def open_intent(self, job: Job, provider: str, request: bytes, max_micros: int) -> Intent:
        """Write a paid call down before it is made; `request` is what will be sent.

        Raises:
            AcpError: it must not be made: `ambiguous_charge` where it may have been already, `exceeds_budget`,
                `cancelled`.
            Unavailable: the planner does not answer, or the end of an earlier call is not known yet.
        """
        intent = Intent(ref_of(job), str(uuid.uuid4()))
        call = OpenIntent(
            ref=intent.ref,
            provider=provider,
            request=hashlib.sha256(request).hexdigest(),
            max_micros=max_micros,
            key=intent.key,
        )
        _raise_refusal(await self._ask(call, OPEN_TRIES))
        return intent

    async def note_reference(self, intent: Intent, provider_reference: str) -> None:
        """Write down the provider's name for a call that runs, however long the planner takes to hear it: with it the
        call can be looked up whatever dies.

        Raises:
            AcpError: `wrong_state` where the call has another name already.
        """
        told = NoteIntent(ref=intent.ref, key=intent.key, provider_reference=provider_reference)
        _raise_refusal(await self._ask(told, None))

    async def record_capture(self, intent: Intent, micros: int, provider_reference: str | None = None) -> None:
        """Say what a call cost, however long the planner takes to hear it. Without that it stays ambiguous."""
        ref, key = intent.ref, intent.key
        await self._close_intent(
            CloseIntent(ref=ref, key=key, outcome="captured", micros=micros, provider_reference=provider_reference)
        )

    async def record_refusal(self, intent: Intent) -> None:
        """Say that the provider charged nothing, so that the attempt may be sent again."""
        await self._close_intent(CloseIntent(ref=intent.ref, key=intent.key, outcome="refused"))

    async def _close_intent(self, call: CloseIntent) -> None:
        _raise_refusal(await self._ask(call, None))

    async def _ask(self, call: SpendingCall, tries: int | None) -> IntentReply:
        tried = 0
        while True:
            tried += 1
            try:
                return await self._outlet.ask_about_paid_call(call)
            except Unavailable:
                if tried == tries:
                    raise
                await asyncio.sleep(ASK_AGAIN_S)


def _raise_refusal(reply: IntentReply) -> None:
    if (error := reply.error) is not None:
        raise AcpError(error.code, error.message, path=error.path, hint=error.hint, retryable=error.retryable)
