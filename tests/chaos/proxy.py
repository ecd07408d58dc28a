"""A TCP proxy between an agent and the broker, which cuts, delays and swallows what passes through it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal
from urllib.parse import urlsplit

from bus.connection import Address

Trouble = Literal["cut", "slow", "hole", "deaf"]
"""cut: connections end and new ones are refused. slow: each chunk waits `seconds`. hole: nothing passes, though the
connections stand. deaf: what the server says does not pass, what the client says does."""

CHUNK_BYTES = 64 * 1024


class Proxy:
    """In front of one server, on a port of its own."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        assert parts.hostname is not None
        self._host, self._server_port = parts.hostname, parts.port or 4222
        self._trouble: Trouble | None = None
        self._seconds = 0.0
        self._mended = asyncio.Event()
        self._mended.set()
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    def address(self, direct: Address) -> Address:
        """The same login by way of the proxy."""
        return Address(f"nats://{self._host}:{self.port}", direct.user, direct.password)

    def disturb(self, trouble: Trouble, seconds: float = 0.0) -> None:
        """Begin some trouble; `seconds` is the delay of `slow`."""
        self._trouble, self._seconds = trouble, seconds
        self._mended.clear()
        if trouble == "cut":
            for writer in self._open:
                writer.transport.abort()

    def mend(self) -> None:
        """End the trouble; what was held back passes."""
        self._trouble = None
        self._mended.set()

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        self._open.add(answer)
        try:
            if self._trouble == "cut":
                return
            server, onward = await asyncio.open_connection(self._host, self._server_port)
            self._open.add(onward)
            try:
                await self._between(client, answer, server, onward)
            finally:
                self._open.discard(onward)
                onward.close()
        except OSError:
            return  # the server is away, or one of the two was reset
        finally:
            self._open.discard(answer)
            answer.close()

    async def _between(
        self,
        client: asyncio.StreamReader,
        answer: asyncio.StreamWriter,
        server: asyncio.StreamReader,
        onward: asyncio.StreamWriter,
    ) -> None:
        directions = (
            asyncio.ensure_future(self._pass(client, onward, ("slow", "hole"))),
            asyncio.ensure_future(self._pass(server, answer, ("slow", "hole", "deaf"))),
        )
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, minds: tuple[Trouble, ...]
    ) -> None:
        while chunk := await source.read(CHUNK_BYTES):
            while self._trouble in minds:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._seconds if self._trouble == "slow" else None):
                        await self._mended.wait()
                if self._trouble == "slow":
                    break
            target.write(chunk)
            await target.drain()


@asynccontextmanager
async def proxied(server: str) -> AsyncGenerator[Proxy]:
    """A proxy in front of a server's URL for the time of an `async with`."""
    proxy = Proxy(server)
    connections: set[asyncio.Task[None]] = set()

    def accept(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(client, answer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        for task in tuple(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
