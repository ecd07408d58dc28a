"""Presence: how a process announces itself, and the board of all live processes.

An entry of a key-value bucket with a time to live, key `<role>.<instance>`. A process that dies disappears from the
board, because its entry is not renewed.
"""

import asyncio
import time
from collections.abc import Callable

import structlog
from msgspec.structs import replace

from bus.agent import Agent
from bus.connection import Connection
from bus.publisher import Publication, Publisher
from bus.view import Kept, View
from protocol import codec
from protocol.channels import PRESENCE_PREFIX, PRESENCE_STREAM
from protocol.errors import AcpError
from protocol.messages import Presence

log = structlog.get_logger()

CAUGHT_UP_WAIT_S = 3.0
"""A board that cannot be filled (no broker) is answered from as it is."""


class PresenceBoard:
    """Every live process, kept current by a watch that begins with the first question."""

    def __init__(self, connection: Connection, ttl_s: float) -> None:
        self._ttl_s = ttl_s
        self._entries: dict[str, tuple[Presence, float]] = {}
        self._asked_for = asyncio.Event()
        self._view = View(connection, PRESENCE_STREAM, f"{PRESENCE_PREFIX}.*.>", self._receive)

    async def run(self) -> None:
        """Keep the board once somebody asked; runs until cancelled."""
        await self._asked_for.wait()
        await self._view.run()

    async def presences(self) -> list[Presence]:
        """Live processes in the order of their keys."""
        self._asked_for.set()
        try:
            async with asyncio.timeout(CAUGHT_UP_WAIT_S):
                await self._view.caught_up.wait()
        except TimeoutError:
            log.warning("the presence board is not filled yet")
        now = time.monotonic()
        self._entries = {key: entry for key, entry in self._entries.items() if entry[1] > now}
        return [presence for _, (presence, _) in sorted(self._entries.items())]

    async def _receive(self, message: Kept) -> None:
        headers = message.headers
        if headers.get("KV-Operation") in ("DEL", "PURGE"):
            self._entries.pop(message.subject, None)
            return
        try:
            presence = codec.decode_presence(codec.unpack(message.data, headers))
        except AcpError as error:
            log.warning("a presence entry cannot be read", key=message.subject, error=str(error))
            return
        if isinstance(presence, Presence):
            age = time.time() - message.at.timestamp()
            self._entries[message.subject] = (presence, time.monotonic() + time_left(age, self._ttl_s))


def time_left(age_s: float, ttl_s: float) -> float:
    """Seconds for which an entry of that age still counts. The broker keeps none that is older than the time to live,
    so an age outside of it says only that the clocks of two machines differ."""
    return ttl_s - age_s if 0 <= age_s <= ttl_s else ttl_s


class PresenceAnnouncer:
    """Renews the entry of one process."""

    def __init__(self, publisher: Publisher, agent: Agent, instance: str, ttl_s: float) -> None:
        self._publisher = publisher
        self._agent = agent
        self._instance = instance
        self._ttl_s = ttl_s
        self.count_busy: Callable[[], int] = lambda: 0
        """How many deliveries the process has in hand."""

    async def run(self) -> None:
        """Renew the entry three times in its time to live; runs until cancelled."""
        while True:
            await asyncio.sleep(self._ttl_s / 3)
            await self.announce()

    async def announce(self) -> None:
        """Announce now."""
        presence = replace(self._agent.presence(self._instance), busy=self.count_busy())
        payload, headers = codec.pack(presence)
        await self._put(payload, headers)

    async def withdraw(self) -> None:
        """Take the entry away."""
        await self._put(b"", {"KV-Operation": "DEL"})

    async def _put(self, payload: bytes, headers: dict[str, str]) -> None:
        subject = f"{PRESENCE_PREFIX}.{self._agent.role}.{self._instance}"
        try:
            async with asyncio.timeout(self._ttl_s):
                await self._publisher.publish([Publication(subject, payload, headers)])
        except TimeoutError:
            log.warning("the presence entry could not be renewed")
