"""The relay: publishes what transitions put into the outbox, and deletes it once the broker has it."""

import asyncio

import structlog

from agents.planner.outbox import outbox
from agents.planner.outbox.change import Change
from agents.planner.outbox.status_order import StatusOrder
from agents.shared.database.group_commit import GroupCommit
from bus.agent import Outlet
from protocol.results import GenerationStatus

log = structlog.get_logger()


class Relay:
    """One planner's. `run` must run as long as anything is published."""

    def __init__(self, ledger: GroupCommit, outlet: Outlet) -> None:
        self._ledger = ledger
        self._outlet = outlet
        self._status_order = StatusOrder()
        self._delivered_ids: list[str] = []
        self._has_delivered = asyncio.Event()

    async def publish(self, *changes: Change) -> None:
        """Say what follows from changes that are committed; returns when the broker has it."""
        await self._outlet.publish(*(work for change in changes for work in change.work))
        for message, count in (again for change in changes for again in change.resends):
            await self._outlet.publish(message, resend=count)
        for said in (said for change in changes for said in change.control_messages):
            await self._outlet.publish_control("generator", said)
        for one in (one for change in changes for one in change.all_changes):
            if one.status is not None and self._status_order.accept(one.status.hash, one.revision):
                await self._outlet.publish_status(one.status, one.client_id)
        self._note_delivered([name for change in changes for name in outbox.message_ids(change)])

    async def publish_unsent(self, before: float) -> None:
        """Say what the planner `before` this one committed and may not have said."""
        while letters := await self._ledger.read(lambda connection: outbox.load_unsent(connection, before)):
            for _, message in letters:
                match message:
                    case (GenerationStatus() as status, str(client)):
                        await self._outlet.publish_status(status, client)
                    case work:
                        await self._outlet.publish(work)
            said = [name for name, _ in letters]
            await self._ledger.write(lambda connection, said=said: outbox.delete(connection, said))

    async def run(self) -> None:
        """Strike out what was said, as much at once as came together meanwhile; runs until cancelled."""
        while True:
            await self._has_delivered.wait()
            self._has_delivered.clear()
            await self.delete_delivered()

    async def delete_delivered(self) -> None:
        """Strike out what was said. Where the ledger fails it goes with what is said next: a planner that starts long
        after would have it made again."""
        said, self._delivered_ids = self._delivered_ids, []
        try:
            await self._ledger.write(lambda connection: outbox.delete(connection, said))
        except Exception:
            self._delivered_ids += said
            log.exception("said messages stay in the outbox for now", count=len(said))

    def _note_delivered(self, names: list[str]) -> None:
        if names:
            self._delivered_ids += names
            self._has_delivered.set()
