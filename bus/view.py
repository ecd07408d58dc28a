"""An ordered view of a stream: every message from the start (or the last per subject), then each new one, in order.

An ephemeral push consumer without acknowledgements. After a gap, a silent broker or a recreated stream, a new consumer
goes on where the view stopped, so a reader may see a message twice and never misses one.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from bus.connection import Connection

log = structlog.get_logger()

HEARTBEAT_S = 1.0
"""How often an idle consumer says that it lives; three missed ones mean that it is gone."""

RETRY_S = 0.25
"""Pause before the next try when a consumer cannot be made, doubled up to MAX_RETRY_S."""

MAX_RETRY_S = 2.0

INACTIVE_S = 30.0
"""The broker forgets a consumer without a reader after this time."""

_NANOSECONDS = 1_000_000_000

StartAt = Literal["all", "last_per_subject"]


class View:
    """Reads `stream` where it matches `filter_subject` and gives each message to `receive`, one after the other."""

    def __init__(
        self,
        connection: Connection,
        stream: str,
        filter_subject: str,
        receive: Callable[[Msg], Awaitable[None]],
        *,
        start: StartAt = "all",
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._filter = filter_subject
        self._receive = receive
        self._start: StartAt = start
        self._created = ""
        self._last_sequence = 0
        self._expected_sequence = 1
        self._remaining_count = 0
        self._last_heard = 0.0
        self._broken = asyncio.Event()
        self.caught_up = asyncio.Event()
        """Set when everything that the stream held at the start was received."""

    async def run(self) -> None:
        """Look until cancelled."""
        forget = self._connection.on_reconnect(self._broken.set)
        delay = RETRY_S
        try:
            while True:
                try:
                    await self._consume()
                    delay = RETRY_S
                except (NatsError, TimeoutError, OSError) as error:
                    log.info("cannot look at the stream", stream=self._stream, error=repr(error))
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, MAX_RETRY_S)
        finally:
            forget()

    async def _consume(self) -> None:
        """One consumer's life."""
        self._broken.clear()
        stream = await self._connection.request_api(f"STREAM.INFO.{self._stream}", {})
        anew = stream["created"] != self._created or stream["state"]["last_seq"] < self._last_sequence
        if anew:  # another stream of the same name, or one that lost its end: its sequences begin again
            self._created, self._last_sequence = stream["created"], 0
        self._expected_sequence, self._remaining_count = 1, -1
        inbox = self._connection.client.new_inbox()
        subscription = await self._connection.subscribe(inbox, self._on_message)
        try:
            name = inbox.rpartition(".")[2]
            request = {"stream_name": self._stream, "config": self._configuration(name, inbox)}
            made = await self._connection.request_api(f"CONSUMER.CREATE.{self._stream}.{name}.{self._filter}", request)
            self._remaining_count += 1 + int(made.get("num_pending", 0)) + int(made["delivered"]["consumer_seq"])
            self._note_progress()
            await self._until_broken()
        finally:
            with contextlib.suppress(NatsError):  # a connection closed for good must not stop the end of this task
                await subscription.unsubscribe()

    async def _until_broken(self) -> None:
        loop = asyncio.get_running_loop()
        self._last_heard = loop.time()
        while not self._broken.is_set():
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._broken.wait()
            except TimeoutError:
                if loop.time() - self._last_heard > 3 * HEARTBEAT_S:
                    return

    def _configuration(self, name: str, inbox: str) -> dict[str, Any]:
        where: dict[str, Any] = {"deliver_policy": self._start}
        if self._last_sequence:
            where = {"deliver_policy": "by_start_sequence", "opt_start_seq": self._last_sequence + 1}
        return {
            "name": name,
            "filter_subject": self._filter,
            "deliver_subject": inbox,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "idle_heartbeat": int(HEARTBEAT_S * _NANOSECONDS),
            "inactive_threshold": int(INACTIVE_S * _NANOSECONDS),
            **where,
        }

    async def _on_message(self, message: Msg) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        if message.headers and message.headers.get("Status") == "100":
            if int(message.headers.get("Nats-Last-Consumer", "0")) >= self._expected_sequence:
                self._broken.set()  # the tail was lost
            return
        if self._broken.is_set():
            return
        place = message.metadata.sequence
        if place.consumer != self._expected_sequence:
            self._broken.set()
            return
        self._expected_sequence += 1
        self._last_sequence = place.stream
        try:
            await self._receive(message)
        finally:
            self._remaining_count -= 1
            self._note_progress()

    def _note_progress(self) -> None:
        if self._remaining_count == 0:
            self.caught_up.set()
