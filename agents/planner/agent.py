"""The planner agent: answers commands, turns events into transitions, and sends again what got lost."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from sqlalchemy import Connection

from agents.planner.inputs.catalogue_loader import CatalogueLoader
from agents.planner.inputs.image_loader import ImageLoader
from agents.planner.ledger.retention_loop import RetentionLoop
from agents.planner.money.intents import mark_silent_ambiguous
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.outbox.relay import Relay
from agents.planner.planning.recipe import Defaults
from agents.planner.requests.client import ClientRequests, error_reply
from agents.planner.requests.operator import OperatorRequests
from agents.planner.requests.paid_calls import PaidCallRequests
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.scheduling.reuse import NeedsLookup, WithLookup
from agents.planner.scheduling.reuse_lookup import look_up_stored
from agents.planner.scheduling.window import Window
from agents.planner.transitions import client_commands
from agents.planner.transitions.apply_events import apply_events
from agents.planner.transitions.recovery import OverdueWork, find_overdue
from agents.shared.database.engine import migrate, open_engine
from agents.shared.database.group_commit import GroupCommit
from agents.shared.presence import base_presence
from agents.shared.settings import Settings
from bus.agent import Agent, Delivery, Endpoint, Inbound, Intake, Outbound, Outlet
from bus.local_blobs import LocalBlobs
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS
from protocol.errors import AcpError, Unavailable
from protocol.messages import (
    CancelBatch,
    Presence,
)
from protocol.replies import Reply

log = structlog.get_logger()

MIGRATIONS = Path(__file__).parent / "migrations"


class Planner(Agent):
    """Validates, plans, counts, and alone decides every attempt. SQL is the truth; messages follow from it."""

    role = "planner"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._window = Window(settings.window)
        self._ledger: GroupCommit | None = None
        self._outlet: Outlet | None = None
        self._relay: Relay | None = None
        self._paid_call_requests: PaidCallRequests | None = None
        self._operator_requests: OperatorRequests | None = None
        self._client_requests: ClientRequests | None = None

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

    def endpoints(self) -> Mapping[str, Endpoint]:
        return {
            subjects.COMMANDS: self._answer_client,
            subjects.OPERATOR: self._answer_operator,
            subjects.LEDGER: self._answer_paid_call,
        }

    def presence(self, instance: str) -> Presence:
        return base_presence("planner", instance, self._settings.planner_slots)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        engine = open_engine(self._settings.ledger_url)
        await asyncio.to_thread(migrate, engine, MIGRATIONS)
        async with GroupCommit(engine) as ledger:
            self._ledger, self._outlet = ledger, outlet
            self._relay, self._paid_call_requests = Relay(ledger, outlet), PaidCallRequests(ledger)
            self._operator_requests = OperatorRequests(ledger, self._publish, self._window)
            defaults = Defaults(
                self._settings.stand_in,
                self._settings.min_score,
                self._settings.max_attempts,
                hold_over=self._settings.hold_over,
                price_per_hour=self._settings.gpu_price_per_hour,
                max_seconds=self._settings.max_seconds_per_image,
                open_door=self._settings.open_door,
            )
            blobs = LocalBlobs(self._settings.blobs)
            shelves = CatalogueLoader(self._settings.catalogues, self._settings.combos, blobs)
            sources = ImageLoader(ledger, blobs)
            self._client_requests = ClientRequests(
                ledger, outlet, self._publish, defaults, self._window, shelves, sources
            )
            async with asyncio.TaskGroup() as group:
                upkeep = RetentionLoop(ledger, blobs, self._settings)
                work = (self._relay.run(), self._reconcile_forever(), upkeep.run())
                beside = [group.create_task(one) for one in work]
                try:
                    yield
                finally:
                    for task in beside:
                        task.cancel()
            await self._relay.delete_delivered()
        engine.dispose()

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        assert self._ledger is not None
        assert self._outlet is not None
        try:
            changes = await self._ledger.write_each(self._apply_events, message)
        except NeedsLookup as unsought:
            stored = await look_up_stored(self._outlet, unsought.jobs)
            changes = await self._ledger.write_each(self._apply_events, WithLookup(unsought.page, stored))
        await self._publish(*changes)
        return ()

    def _apply_events(
        self, connection: Connection, said: Sequence[Inbound | WithLookup]
    ) -> list[list[Change] | Exception]:
        """What follows from events that came together. It is in the outbox once it is committed, so that all but the
        first are at their end: the first says it."""
        now = time.time()
        outcomes = apply_events(connection, said, self._window, now)
        for outcome in outcomes:
            for change in outcome if isinstance(outcome, list) else ():
                enqueue(connection, change, now)
        return outcomes

    async def _answer_client(
        self, data: bytes, headers: Mapping[str, str], subject: str
    ) -> tuple[bytes, Mapping[str, str]]:
        """Answer one request, in the encoding it came in."""
        encoding: codec.Encoding = "identity"
        try:
            encoding = codec.encoding_of(headers)
            reply = await self._decode_and_answer(codec.unpack(data, headers), subject)
        except AcpError as error:
            reply = error_reply(error)
        except Exception as error:  # the boundary where a failure becomes a reply
            log.exception("command failed", subject=subject)
            reply = error_reply(codec.error_of(error))
        body = codec.encode(reply)
        if encoding == "zstd":
            return codec.compress(body), {codec.ENCODING_HEADER: "zstd", codec.VERSION_HEADER: codec.VERSION}
        return body, {codec.VERSION_HEADER: codec.VERSION}

    async def _decode_and_answer(self, data: bytes, subject: str) -> Reply:
        assert self._client_requests is not None
        return await self._client_requests.answer(codec.decode_command(data), subject.rsplit(".", 1)[-1])

    async def _answer_operator(
        self, data: bytes, headers: Mapping[str, str], subject: str
    ) -> tuple[bytes, Mapping[str, str]]:
        assert self._operator_requests is not None
        return await self._operator_requests.endpoint(data, headers, subject)

    async def _answer_paid_call(
        self, data: bytes, headers: Mapping[str, str], subject: str
    ) -> tuple[bytes, Mapping[str, str]]:
        assert self._paid_call_requests is not None
        return await self._paid_call_requests.endpoint(data, headers, subject)

    async def _publish(self, *changes: Change) -> None:
        """Say what follows from a committed transition, and wake those who wait for it."""
        assert self._relay is not None
        assert self._client_requests is not None
        await self._relay.publish(*changes)
        for one in (one for change in changes for one in change.all_changes):
            if one.status is not None:
                self._client_requests.wake_waiting(one.status.hash)

    async def _reconcile_forever(self) -> None:
        assert self._relay is not None
        await self._run_and_log_failure(self._relay.publish_unsent(time.time()))
        await self._run_and_log_failure(self._rebuild_window())
        while True:
            await asyncio.sleep(self._settings.reconcile_s)
            await self._run_and_log_failure(self._reconcile())

    async def _run_and_log_failure(self, work: Awaitable[None]) -> None:
        """The next round looks again; a failing broker or disk must not end the planner."""
        try:
            await work
        except Exception:
            log.exception("reconciliation failed")

    async def _rebuild_window(self) -> None:
        """See what waits, and hand it out where places are free."""
        assert self._ledger is not None
        now = time.time()
        await self._publish(
            await self._ledger.write(
                lambda connection: enqueue(connection, rebuild_window(connection, self._window, now), now)
            )
        )

    async def _reconcile(self) -> None:
        assert self._ledger is not None
        assert self._outlet is not None
        await self._rebuild_window()
        now = time.time()
        expired, found = await self._ledger.write(lambda connection: self._expire_and_find_overdue(connection, now))
        for said in found.unanswered_cancels.values():
            await self._outlet.publish_control("generator", said)
            if isinstance(said, CancelBatch):
                await self._purge_batch_queue(said.hash)
        for change in expired + found.changes:
            await self._publish(change)
        for message, count in found.resends:
            log.info("sent again", subject=subjects.subject_of(message), count=count)
            await self._outlet.publish(message, resend=count)

    def _expire_and_find_overdue(self, connection: Connection, now: float) -> tuple[list[Change], OverdueWork]:
        """What time alone brings about."""
        mark_silent_ambiguous(connection, now - self._settings.intent_s, now)
        expired = client_commands.expire_batches(connection, self._window, now)
        found = find_overdue(connection, now, self._settings.stale_s, self._window)
        for change in expired + found.changes:
            enqueue(connection, change, now)
        return expired, found

    async def _purge_batch_queue(self, batch: str) -> None:
        assert self._outlet is not None
        try:
            await self._outlet.purge_batch(batch)
        except Unavailable as error:
            log.warning("unwanted work stays in the queue", batch=batch, error=str(error))


def build(settings: Settings) -> Planner:
    """The planner with the workshop's settings."""
    return Planner(settings)
