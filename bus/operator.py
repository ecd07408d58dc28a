"""What the operator of a workshop does: commands that no client may send, and the dead letters."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from nats.errors import Error as NatsError

from bus.client import ask_planner
from bus.connection import Address, Connection, connect
from bus.dead_letters import DeadLetters
from bus.presence import PresenceBoard
from bus.topology import PRESENCE_TTL_S
from protocol import codec, subjects
from protocol.errors import BadMessage, Unavailable
from protocol.messages import Presence
from protocol.operator import OperatorCommand
from protocol.replies import Reply
from protocol.reuse import RemadePicture, RemakePicture


class Operator:
    """One connection with the operator's login. Open it with `Operator.open`."""

    def __init__(self, connection: Connection, board: PresenceBoard) -> None:
        self._connection = connection
        self._board = board
        self.dead_letters = DeadLetters(connection)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, address: Address, *, wait_s: float = 5.0, presence_ttl_s: float = PRESENCE_TTL_S
    ) -> AsyncGenerator["Operator"]:
        """An operator for the time of an `async with`.

        Raises:
            Unavailable: nobody answers at the address within `wait_s` seconds, or it refuses the credentials.
        """
        connection = await connect(address, name="operator", wait_s=wait_s)
        board = PresenceBoard(connection, presence_ttl_s)
        looking = asyncio.create_task(board.run())
        try:
            yield cls(connection, board)
        finally:
            looking.cancel()
            await connection.close()

    async def presences(self) -> list[Presence]:
        """Every live process of the workshop."""
        return await self._board.presences()

    async def request(self, command: OperatorCommand, timeout: float = 10.0) -> Reply:
        """Send a command and return the reply. A refusal is a reply as well.

        Raises:
            Unavailable: no planner runs, or it does not answer within `timeout` seconds.
        """
        return await ask_planner(self._connection, subjects.OPERATOR, command, timeout)

    async def remake(self, question: RemakePicture, timeout: float) -> RemadePicture:
        """What a generator makes of a job again.

        Raises:
            Unavailable: no generator runs, or none answers within `timeout` seconds.
            BadMessage: it cannot make it.
        """
        payload, headers = codec.pack(question)
        try:
            answer = await self._connection.client.request(subjects.REMAKE, payload, timeout=timeout, headers=headers)
        except (NatsError, TimeoutError) as error:
            raise Unavailable("timeout", "no generator made the picture again", hint="try again") from error
        reply = codec.decode_reuse(codec.unpack(answer.data, answer.headers))
        if not isinstance(reply, RemadePicture):
            raise BadMessage("invalid_value", f"{type(reply).__name__} is no picture that was made again")
        return reply
