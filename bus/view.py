"""An ordered view of a stream: every message that it keeps, from the first on, then each new one, in order.

Read by number, in batches (JetStream's batched direct get, ADR-31), so that a view needs no consumer: whoever may make
one chooses where the broker delivers to. What is published rings a bell, and a look now and then finds what the bell
did not. A reader may see a message twice after a stream was made again, and never misses one.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from bus.connection import ApiError, Connection

log = structlog.get_logger()

BATCH = 256
"""Messages of one answer."""

LOOK_S = 1.0
"""Pause between two looks while no bell rings."""

ANSWER_WAIT_S = 2.0
"""An answer that is silent this long is asked for again."""

SETTLE_S = 0.02
"""What was published is heard a moment before it can be read."""

SETTLE_TRIES = 5

RETRY_S = 0.25
"""Pause before the next try when the stream cannot be read, doubled up to MAX_RETRY_S."""

MAX_RETRY_S = 2.0

_NOT_FOUND = "404"


@dataclass(frozen=True)
class Kept:
    """A message as a stream keeps it. `at`: when it was stored, by the broker's clock."""

    subject: str
    sequence: int
    at: datetime
    data: bytes = field(repr=False)
    headers: Mapping[str, str]


class View:
    """Reads `stream` where it matches `filter_subject` and gives each message to `receive`, one after the other."""

    def __init__(
        self, connection: Connection, stream: str, filter_subject: str, receive: Callable[[Kept], Awaitable[None]]
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._filter = filter_subject
        self._receive = receive
        self._created = ""
        self._last_sequence = 0
        self._bell = asyncio.Event()
        self._answers: asyncio.Queue[Msg] = asyncio.Queue()
        self.caught_up = asyncio.Event()
        """Set when everything that the stream held at the start was received."""

    async def run(self) -> None:
        """Look until cancelled."""
        forget = self._connection.on_reconnect(self._bell.set)
        delay = RETRY_S
        try:
            while True:
                try:
                    await self._look()
                    delay = RETRY_S
                except (NatsError, TimeoutError, OSError) as error:
                    log.info("cannot look at the stream", stream=self._stream, error=repr(error))
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, MAX_RETRY_S)
        finally:
            forget()

    async def _look(self) -> None:
        """Read until something fails."""
        self._answers = asyncio.Queue()
        inbox = self._connection.client.new_inbox()
        subscriptions = [
            await self._connection.subscribe(inbox, self._answers.put),
            await self._connection.subscribe(self._filter, self._ring),
        ]
        try:
            await self._recognise_stream()
            while True:
                rung = self._bell.is_set()
                self._bell.clear()
                found = await self._read_all(inbox)
                for _ in range(SETTLE_TRIES if rung and not found else 0):
                    await asyncio.sleep(SETTLE_S)
                    if await self._read_all(inbox):
                        break
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._bell.wait()
                except TimeoutError:
                    await self._recognise_stream()
        finally:
            for subscription in subscriptions:
                with contextlib.suppress(NatsError):  # a connection closed for good must not stop the end of this task
                    await subscription.unsubscribe()

    async def _ring(self, _: Msg) -> None:
        self._bell.set()

    async def _recognise_stream(self) -> None:
        """Begin again where this is another stream of the same name, or one that lost its end."""
        info = await self._connection.request_api(f"STREAM.INFO.{self._stream}", {})
        if info["created"] != self._created or info["state"]["last_seq"] < self._last_sequence:
            self._created, self._last_sequence = info["created"], 0

    async def _read_all(self, inbox: str) -> int:
        """Read what is new; how many messages that were."""
        count = 0
        while True:
            request = {"seq": self._last_sequence + 1, "next_by_subj": self._filter, "batch": BATCH}
            subject = f"$JS.API.DIRECT.GET.{self._stream}"
            await self._connection.client.publish(subject, json.dumps(request).encode(), reply=inbox)
            received, more = await self._read_answer()
            count += received
            if not more:
                self.caught_up.set()
                return count

    async def _read_answer(self) -> tuple[int, bool]:
        """How many messages an answer brought, and whether there are more."""
        count = 0
        while True:
            async with asyncio.timeout(ANSWER_WAIT_S):
                message = await self._answers.get()
            headers = message.headers or {}
            status = headers.get("Status")
            if status == _NOT_FOUND:
                return count, False
            if status == "204":
                return count, int(headers.get("Nats-Num-Pending", "0")) > 0
            if status is not None:
                raise ApiError(int(status), headers.get("Description", ""))
            kept = _kept(message)
            if kept.sequence > self._last_sequence:
                self._last_sequence = kept.sequence
                count += 1
                await self._receive(kept)


def _kept(message: Msg) -> Kept:
    headers = message.headers or {}
    return Kept(
        subject=headers["Nats-Subject"],
        sequence=int(headers["Nats-Sequence"]),
        at=datetime.fromisoformat(headers["Nats-Time-Stamp"]),
        data=message.data,
        headers=headers,
    )
