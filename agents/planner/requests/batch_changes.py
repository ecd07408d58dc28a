"""Publishes changes of batches once they are committed, and wakes the requests that wait for them."""

import asyncio
from weakref import WeakValueDictionary

from agents.planner.outbox.change import Change
from agents.planner.outbox.relay import Relay


class BatchChanges:
    """One planner's."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        # An event lives as long as somebody waits for it, so that a million batches leave nothing behind.
        self._events: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    async def publish(self, *changes: Change) -> None:
        """Say what follows from a committed transition, and wake those who wait for it."""
        await self._relay.publish(*changes)
        for one in (one for change in changes for one in change.all_changes):
            if one.status is not None and (event := self._events.pop(one.status.hash, None)):
                event.set()

    def next_change(self, batch: str) -> asyncio.Event:
        """Set at the next change of a batch. Take it before looking at the batch, so that no change is missed."""
        event = self._events.get(batch)
        if event is None:
            event = self._events[batch] = asyncio.Event()
        return event
