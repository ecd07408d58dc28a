"""The planner agent: answers commands, turns events into transitions, and sends again what got lost."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.inputs.image_loader import ImageLoader
from agents.planner.ledger.made_pixels import MadePixels
from agents.planner.ledger.retention_loop import RetentionLoop
from agents.planner.money.intents import mark_silent_ambiguous
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.outbox.relay import Relay
from agents.planner.planning.recipe import Defaults
from agents.planner.requests.batch_changes import BatchChanges
from agents.planner.requests.client import ClientRequests
from agents.planner.requests.earlier_seconds import EarlierSeconds
from agents.planner.requests.handler import RequestResources
from agents.planner.requests.operator import OperatorRequests
from agents.planner.requests.paid_calls import PaidCallRequests, refusal_reply
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.scheduling.reuse import NeedsLookup, WithLookup
from agents.planner.scheduling.reuse_lookup import look_up_stored
from agents.planner.scheduling.window import Window
from agents.planner.transitions import client_commands
from agents.planner.transitions.apply_events import apply_events
from agents.planner.transitions.bounds import Bounds
from agents.planner.transitions.recovery import OverdueWork, find_overdue
from agents.shared.database.engine import migrate, open_engine
from agents.shared.database.group_commit import GroupCommit
from agents.shared.presence import base_presence
from agents.shared.settings import Settings
from bus.agent import (
    Agent,
    Caller,
    Delivery,
    Endpoint,
    Inbound,
    Intake,
    Outbound,
    Outlet,
    encode_in_kind,
    encode_plain,
)
from bus.local_blobs import LocalBlobs
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS
from protocol.commands import Command
from protocol.errors import AcpError, Unavailable
from protocol.messages import CancelBatch, Presence
from protocol.operator import OperatorCommand
from protocol.replies import ErrorReply, Reply
from protocol.spending import IntentReply, Spending

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Serving:
    """What the planner holds while it serves: what it works with, and who answers."""

    settings: Settings
    window: Window
    ledger: GroupCommit
    outlet: Outlet
    relay: Relay
    changes: BatchChanges
    made: MadePixels
    client_requests: ClientRequests
    operator_requests: OperatorRequests
    paid_call_requests: PaidCallRequests
    retention: RetentionLoop

    @classmethod
    def of(cls, settings: Settings, ledger: GroupCommit, outlet: Outlet) -> "Serving":
        """Built around an open ledger."""
        window, relay, blobs = Window(settings.window), Relay(ledger, outlet), LocalBlobs(settings.blobs)
        changes, made = BatchChanges(relay), MadePixels(ledger)
        resources = RequestResources(
            ledger=ledger,
            outlet=outlet,
            changes=changes,
            defaults=_defaults(settings),
            window=window,
            catalogue_loader=CatalogueLoader(settings.catalogues, settings.combos, blobs),
            image_loader=ImageLoader(ledger, made, blobs, settings.pictures),
            earlier_seconds=EarlierSeconds(ledger),
            bounds=Bounds(settings.max_held_plans, settings.max_unfinished_batches, settings.max_known_clients),
        )
        return cls(
            settings=settings,
            window=window,
            ledger=ledger,
            outlet=outlet,
            relay=relay,
            changes=changes,
            made=made,
            client_requests=ClientRequests(resources),
            operator_requests=OperatorRequests(ledger, changes, window),
            paid_call_requests=PaidCallRequests(ledger),
            retention=RetentionLoop(ledger, blobs, settings),
        )

    async def apply(self, message: Inbound) -> None:
        """Turn an event into transitions, and say what follows from them."""
        try:
            changes = await self.ledger.write_each(self._apply_events, message)
        except NeedsLookup as unsought:
            stored = await look_up_stored(self.outlet, unsought.jobs)
            changes = await self.ledger.write_each(self._apply_events, WithLookup(unsought.page, stored))
        for change in changes:
            self.made.note(change.client_id, change.filed)
        await self.changes.publish(*changes)

    def _apply_events(
        self, connection: Connection, said: Sequence[Inbound | WithLookup]
    ) -> list[list[Change] | Exception]:
        """What follows from events that came together. It is in the outbox once it is committed, so that all but the
        first are at their end: the first says it."""
        now = time.time()
        outcomes = apply_events(connection, said, self.window, now)
        for outcome in outcomes:
            for change in outcome if isinstance(outcome, list) else ():
                enqueue(connection, change, now)
        return outcomes

    @asynccontextmanager
    async def background_work(self) -> AsyncGenerator[None]:
        """Relay, owners, reconciler and retention, beside the body."""
        async with asyncio.TaskGroup() as group:
            work = (self.relay.run(), self.made.run(), self._reconcile_forever(), self.retention.run())
            beside = [group.create_task(one) for one in work]
            try:
                yield
            finally:
                for task in beside:
                    task.cancel()

    async def _reconcile_forever(self) -> None:
        """Say what an earlier planner may not have said, then look again and again for what got lost."""
        await self._run_and_log_failure(self.relay.publish_unsent(time.time()))
        await self._run_and_log_failure(self._rebuild_window())
        while True:
            await asyncio.sleep(self.settings.reconcile_s)
            await self._run_and_log_failure(self._reconcile())

    async def _run_and_log_failure(self, work: Awaitable[None]) -> None:
        """The next round looks again; a failing broker or disk must not end the planner."""
        try:
            await work
        except Exception:
            log.exception("reconciliation failed")

    async def _rebuild_window(self) -> None:
        """See what waits, and hand it out where places are free."""
        now = time.time()
        await self.changes.publish(
            await self.ledger.write(
                lambda connection: enqueue(connection, rebuild_window(connection, self.window, now), now)
            )
        )

    async def _reconcile(self) -> None:
        await self._rebuild_window()
        now = time.time()
        expired, found = await self.ledger.write(lambda connection: self._expire_and_find_overdue(connection, now))
        for said in found.unanswered_cancels.values():
            await self.outlet.publish_control("generator", said)
            if isinstance(said, CancelBatch):
                await self._purge_batch_queue(said.hash)
        for change in expired + found.changes:
            await self.changes.publish(change)
        for message, count in found.resends:
            log.info("sent again", subject=subjects.subject_of(message), count=count)
            await self.outlet.publish(message, resend=count)

    def _expire_and_find_overdue(self, connection: Connection, now: float) -> tuple[list[Change], OverdueWork]:
        """What time alone brings about."""
        mark_silent_ambiguous(connection, now - self.settings.intent_s, now)
        expired = client_commands.expire_batches(connection, self.window, now)
        found = find_overdue(connection, now, self.settings.stale_s, self.window)
        for change in expired + found.changes:
            enqueue(connection, change, now)
        return expired, found

    async def _purge_batch_queue(self, batch: str) -> None:
        try:
            await self.outlet.purge_batch(batch)
        except Unavailable as error:
            log.warning("unwanted work stays in the queue", batch=batch, error=str(error))


class Planner(Agent):
    """Validates, plans, counts, and alone decides every attempt. SQL is the truth; messages follow from it."""

    role = "planner"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: Serving | None = None

    @property
    def _serving(self) -> Serving:
        """What is there inside `running`.

        Raises:
            AcpError: `internal` outside it.
        """
        if self._running is None:
            raise AcpError("internal", "the planner does not serve: its ledger is not open", retryable=True)
        return self._running

    def intakes(self) -> Sequence[Intake]:
        return (
            Intake(
                stream=ACP_EVENTS,
                durable="planner",
                filter_subjects=(subjects.EVENTS,),
                slots=self._settings.planner_slots,
                max_deliver=20,
            ),
        )

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        return (
            Endpoint(
                subjects.COMMANDS,
                decode=codec.decode_command,
                answer=self._answer_client,
                encode=encode_in_kind,
                on_error=ErrorReply.of,
                queue_by=lambda caller: caller.client_id[:64],
                failure_log="command failed",
            ),
            Endpoint(
                subjects.OPERATOR,
                decode=codec.decode_operator_command,
                answer=self._answer_operator,
                encode=encode_plain,
                on_error=ErrorReply.of,
                failure_log="a command of the operator failed",
            ),
            Endpoint(
                subjects.LEDGER,
                decode=codec.decode_spending,
                answer=self._answer_paid_call,
                encode=encode_plain,
                on_error=refusal_reply,
                failure_log="a question about a paid call failed",
            ),
        )

    def presence(self, instance: str) -> Presence:
        return base_presence("planner", instance, self._settings.planner_slots)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        engine = open_engine(self._settings.ledger_url)
        try:
            await asyncio.to_thread(migrate, engine, MIGRATIONS)
            async with GroupCommit(engine) as ledger:
                serving = self._running = Serving.of(self._settings, ledger, outlet)
                try:
                    async with serving.background_work():
                        yield
                    await serving.relay.delete_delivered()
                finally:
                    self._running = None
        finally:
            engine.dispose()

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        await self._serving.apply(message)
        return ()

    async def _answer_client(self, command: Command, caller: Caller) -> Reply:
        return await self._serving.client_requests.answer(command, caller.client_id)

    async def _answer_operator(self, command: OperatorCommand, caller: Caller) -> Reply:
        return await self._serving.operator_requests.answer(command, caller)

    async def _answer_paid_call(self, call: Spending, caller: Caller) -> IntentReply:
        return await self._serving.paid_call_requests.answer(call, caller)


def _defaults(settings: Settings) -> Defaults:
    return Defaults(
        settings.stand_in,
        settings.min_score,
        settings.max_attempts,
        hold_over=settings.hold_over,
        price_per_hour=settings.gpu_price_per_hour,
        max_seconds=settings.max_seconds_per_image,
        open_door=None if settings.open_door == "auto" else settings.open_door,
    )


def build(settings: Settings) -> Planner:
    """The planner with the workshop's settings."""
    return Planner(settings)
