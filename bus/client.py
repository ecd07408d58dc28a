"""What a client of the workshop does: send commands, watch statuses, progress and events, see who is there."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.connection import Address, Connection, connect
from bus.presence import PresenceBoard
from bus.topology import PRESENCE_TTL_S
from bus.view import View
from protocol import codec, subjects
from protocol.channels import ACP_EVENTS, ACP_STATUS
from protocol.errors import AcpError, BadCommand, Unavailable
from protocol.ids import is_id
from protocol.messages import Event, Presence, Progress
from protocol.replies import Reply
from protocol.results import GenerationStatus

log = structlog.get_logger()

LOCAL_CLIENT = "local"
"""Whose batches are those of the command line."""

MAX_BACKLOG = 10_000
"""Messages that a slow reader of a watch may leave unread; then the broker's side waits."""


class Client:
    """One connection to a workshop. Open it with `Client.open`."""

    def __init__(self, connection: Connection, tasks: asyncio.TaskGroup, presence_ttl_s: float) -> None:
        self._connection = connection
        self._tasks = tasks
        self._board = PresenceBoard(connection, presence_ttl_s)
        self._board_task = tasks.create_task(self._board.run())

    @classmethod
    @asynccontextmanager
    async def open(
        cls, address: Address, *, wait_s: float = 5.0, presence_ttl_s: float = PRESENCE_TTL_S
    ) -> AsyncGenerator["Client"]:
        """A client for the time of an `async with`.

        Raises:
            Unavailable: nobody answers at the address within `wait_s` seconds, or it refuses the credentials.
        """
        connection = await connect(address, name="client", wait_s=wait_s)
        try:
            async with asyncio.TaskGroup() as tasks:
                client = cls(connection, tasks, presence_ttl_s)
                try:
                    yield client
                finally:
                    client._board_task.cancel()
        finally:
            await connection.close()

    async def request(
        self, command: msgspec.Struct | bytes, client_id: str = LOCAL_CLIENT, timeout: float = 10.0
    ) -> Reply:
        """Send a command and return the reply; bytes are sent as they are. A refusal is a reply as well.

        Raises:
            BadCommand: `client_id` cannot be the name of a client.
            BadMessage: the command is too large, or the reply cannot be read.
            Unavailable: no planner runs, or it does not answer within `timeout` seconds.
        """
        if not is_id(client_id):
            raise BadCommand("invalid_value", f"{client_id[:80]!r} cannot be a client id", path="$.client_id")
        return await ask_planner(self._connection, subjects.command(client_id), command, timeout)

    async def watch_status(self, client_id: str, batch: str) -> AsyncGenerator[GenerationStatus]:
        """Statuses of a batch: the last one at once, then the newer ones, over restarts of the broker too. Endless."""
        async for data in self._watch(ACP_STATUS, subjects.status(client_id, batch)):
            status = codec.decode_reply(data)
            if isinstance(status, GenerationStatus):
                yield status

    async def watch_events(self, client_id: str, batch: str) -> AsyncGenerator[Event]:
        """Events of a batch from its first on. One may come twice after a restart of the broker. Endless."""
        async for data in self._watch(ACP_EVENTS, subjects.batch_events(client_id, batch)):
            event = codec.decode_message(data)
            if isinstance(event, Event):
                yield event

    async def watch_progress(self, client_id: str, batch: str) -> AsyncGenerator[Progress]:
        """Progress of a batch's attempts from now on; lossy. Endless."""
        arrived: asyncio.Queue[bytes] = asyncio.Queue(MAX_BACKLOG)
        subscription = await self._connection.subscribe(subjects.progress(client_id, batch), _unpack_into(arrived))
        try:
            while True:
                progress = codec.decode_message(await arrived.get())
                if isinstance(progress, Progress):
                    yield progress
        finally:
            await subscription.unsubscribe()

    async def presences(self) -> list[Presence]:
        """Every live process of the workshop."""
        return await self._board.presences()

    async def _watch(self, stream: str, filter_subject: str) -> AsyncGenerator[bytes]:
        arrived: asyncio.Queue[bytes] = asyncio.Queue(MAX_BACKLOG)
        view = View(self._connection, stream, filter_subject, _unpack_into(arrived), start="all")
        looking = self._tasks.create_task(view.run())
        try:
            while True:
                yield await arrived.get()
        finally:
            looking.cancel()


async def ask_planner(
    connection: Connection, subject: str, command: msgspec.Struct | bytes, timeout: float = 10.0
) -> Reply:
    """The planner's reply to a command on `subject`; see `Client.request`."""
    payload, headers = (command, {}) if isinstance(command, bytes) else codec.pack(command)
    if len(payload) > codec.MAX_MESSAGE_BYTES:
        raise BadCommand("too_large", f"the command is larger than {codec.MAX_MESSAGE_BYTES} bytes")
    try:
        answer = await connection.client.request(subject, payload, timeout=timeout, headers=headers)
    except NoRespondersError as error:
        raise Unavailable("timeout", "no planner runs", hint="start the workshop with `bottega up`") from error
    except (NatsError, TimeoutError) as error:
        raise Unavailable("timeout", f"the planner did not answer within {timeout:g} s", hint="try again") from error
    return codec.decode_reply(codec.unpack(answer.data, answer.headers))


def _unpack_into(queue: asyncio.Queue[bytes]) -> Callable[[Msg], Awaitable[None]]:
    async def receive(message: Msg) -> None:
        try:
            await queue.put(codec.unpack(message.data, message.headers))
        except AcpError as error:
            log.warning("a message cannot be read", subject=message.subject, error=str(error))

    return receive
