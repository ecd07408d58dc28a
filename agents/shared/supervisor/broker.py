"""The broker of a workshop: an embedded nats-server that is kept alive, or any other server by its URL."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from agents.shared.settings import Settings
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.restart import BackOff
from bus.connection import Address
from bus.credentials import outside_address
from bus.disk_space import FULL_BYTES, free_bytes
from bus.server import EmbeddedServer, ServerUnavailable
from protocol.errors import Unavailable


class Broker:
    """Where the agents of a workshop meet. `address` knows every login; `server` is null where it is someone else's."""

    def __init__(self, address: Callable[[str], Address], server: EmbeddedServer | None) -> None:
        self.address = address
        self.server = server
        self._restarting = False

    @property
    def pid(self) -> int | None:
        """Process id of the embedded server; null where the server is someone else's."""
        return self.server.pid if self.server else None

    async def restart(self) -> None:
        """End the embedded server; `keep_alive` starts it again at once. One that is dead already is started anyway."""
        if self.server is not None and self.server.is_running:
            self._restarting = True
            await self.server.end()

    async def keep_alive(self, announce: Callable[[Notice], None], policy: BackOff, back: Callable[[], None]) -> None:
        """Start the embedded server again whenever it ends, call `back`, and say that it is there. Runs until
        cancelled."""
        if self.server is None:
            return
        deaths = 0
        while True:
            born = time.monotonic()
            code = await self.server.wait()
            if not self._restarting:
                deaths = policy.deaths_in_a_row(deaths, time.monotonic() - born)
                pause = policy.pause_s(deaths)
                announce(Notice("nats", "died", f"exit status {code}; again in {pause:.1f} s"))
                await asyncio.sleep(pause)
            self._restarting = False
            before = self.server.url
            await _start_where_there_is_room(self.server, announce, policy.max_s)
            if self.server.url != before:
                raise Unavailable(
                    "timeout",
                    f"another program took {before} while nats-server was restarted",
                    hint="start the workshop again: bottega up; nothing that was planned is lost",
                )
            back()
            announce(_started(self.server))


@asynccontextmanager
async def open_broker(settings: Settings, announce: Callable[[Notice], None]) -> AsyncGenerator[Broker]:
    """The broker that the settings name, running.

    Raises:
        Unavailable: the embedded server cannot be started.
    """
    if settings.nats_url is not None:
        url, folder = settings.nats_url, settings.nats_folder
        yield Broker(lambda login: outside_address(url, folder, login), None)
        return
    server = EmbeddedServer(settings.nats_folder)
    await _start(server)
    announce(_started(server))
    try:
        yield Broker(server.address, server)
    finally:
        await server.stop()
        announce(Notice("nats", "stopped"))


async def _start_where_there_is_room(
    server: EmbeddedServer, announce: Callable[[Notice], None], pause_s: float
) -> None:
    """Start the server; on a full disk, as soon as there is room."""
    while True:
        try:
            await _start(server)
        except (Unavailable, OSError):
            if free_bytes(server.folder) >= FULL_BYTES:
                raise
            announce(Notice("nats", "full", f"it cannot be started on a full disk; again in {pause_s:g} s"))
            await asyncio.sleep(pause_s)
        else:
            return


async def _start(server: EmbeddedServer) -> None:
    try:
        await server.start()
    except ServerUnavailable as error:
        raise Unavailable("timeout", str(error), hint="ask: bottega doctor") from error


def _started(server: EmbeddedServer) -> Notice:
    return Notice("nats", "started", f"pid {server.pid}")
