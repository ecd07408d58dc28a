"""Logins of clients, changed while the embedded server runs: the credentials, then the server's configuration, then
its own word that it follows."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus import credentials
from bus.accounts import client_login
from bus.connection import Address, Connection, LoginRefused, connect
from bus.server import signal_reload, write_configuration
from protocol import subjects
from protocol.errors import Unavailable

SETTLE_S = 0.05
"""Pause between two looks whether the server has read its configuration."""

ACCEPT_WAIT_S = 5.0
"""Longest wait until a new login is accepted, or an old one refused."""

REACH_WAIT_S = 2.0
"""Longest wait for the planner's answer to a new login."""

REACH_TRIES = 4
"""Looks whether a new login reaches a planner; where none runs, nothing says that it does."""


async def put_client(folder: Path, client: str) -> Address | None:
    """Give a client a login, or a new password, in the server of this folder; where its old connections end at once.
    Null where no server runs: the login counts from its next start.

    Raises:
        Unavailable: the running server does not take it.
    """
    known = await asyncio.to_thread(credentials.put_client, folder, client)
    address = known.address(client_login(client))
    if not await asyncio.to_thread(_reload, folder):
        return None
    connection = await _connect_once_accepted(address)
    try:
        await _reload_until_reached(connection, folder, client)
    finally:
        await connection.close()
    return address


async def remove_client(folder: Path, client: str) -> None:
    """Take a client's login away; its connections end at once.

    Raises:
        Unavailable: the running server still takes it.
    """
    before = await asyncio.to_thread(credentials.read_credentials, folder)
    await asyncio.to_thread(credentials.remove_client, folder, client)
    login = client_login(client)
    if before is None or login not in before.passwords or not await asyncio.to_thread(_reload, folder):
        return
    async with _within(f"the server still takes the login of {client}"):
        while not await _is_refused(before.address(login)):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(SETTLE_S)


def _reload(folder: Path) -> bool:
    """Have the running server read the logins that are kept now; false where none runs. Under the lock, read again:
    of two changes at once the later one must not write what it read before the other."""
    with credentials.locked_credentials(folder):
        known = credentials.read_credentials(folder)
        if known is None:
            return False
        write_configuration(folder, known)
        return signal_reload(folder)


async def _connect_once_accepted(address: Address) -> Connection:
    async with _within(f"the server does not take the login {address.user}"):
        while True:
            try:
                return await connect(address, name="check", wait_s=ACCEPT_WAIT_S)
            except LoginRefused:
                await asyncio.sleep(SETTLE_S)
    raise AssertionError("unreachable")


async def _reload_until_reached(connection: Connection, folder: Path, client: str) -> None:
    """Let the new account's imports begin: nats-server 2.15 makes those of an account that a reload has brought at the
    next reload. Over when a planner answers, or when time shows that there is none."""
    for _ in range(REACH_TRIES):
        await asyncio.to_thread(signal_reload, folder)
        await asyncio.sleep(SETTLE_S)
        with contextlib.suppress(NatsError, TimeoutError):
            try:
                await connection.client.request(subjects.command(client), b"{}", timeout=REACH_WAIT_S)
            except NoRespondersError:
                continue
        return


async def _is_refused(address: Address) -> bool:
    try:
        connection = await connect(address, name="check", wait_s=ACCEPT_WAIT_S)
    except LoginRefused:
        return True
    await connection.close()
    return False


@contextlib.asynccontextmanager
async def _within(complaint: str) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(ACCEPT_WAIT_S):
            yield
    except TimeoutError as error:
        raise Unavailable("timeout", complaint, hint="see bottega logs nats") from error
