"""Logins of clients at the broker of this home: made, changed and ended, and waited for until the server knows."""

import asyncio
import sys

from msgspec.structs import replace

from agents.doors.cli.errors import no_workshop
from agents.doors.cli.workshop.login import kept_address
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop, write_address
from bus import credentials, server
from bus.accounts import LOCAL_CLIENT, client_login
from bus.client import Client
from bus.connection import Address
from protocol.commands import List
from protocol.errors import AcpError

MAX_WAIT_S = 10.0
"""How long a server may take to read its logins again."""
POLL_S = 0.05
"""Pause between two tries of a login."""
TRY_S = 1.0
"""Longest wait for one try."""

OUTSIDE = (
    "note: the server of BOTTEGA_NATS_URL is not this home's: the login is kept here, and counts there once that server "
    "has its new configuration: bottega deploy nats-config\n"
)


def has_login(settings: Settings, client: str) -> bool:
    """Whether this home keeps a login of the client."""
    kept = credentials.read_credentials(settings.nats_folder)
    return kept is not None and client_login(client) in kept.passwords


async def put_login(settings: Settings, client: str) -> str:
    """Give a client a new password; what had the old one is cut off. The URL for it, once the server takes it.

    Raises:
        Failure: the server does not take it in time.
    """
    await asyncio.to_thread(_change, settings, client, True)
    address = await asyncio.to_thread(kept_address, client_login(client), settings)
    if _is_outside(settings):
        sys.stderr.write(OUTSIDE)
    elif not await _comes_to_be(address, client, accepted=True):
        raise no_workshop(
            f"the server does not take the login of {client} yet",
            hint=f"see bottega logs nats; then bottega url --client {client}",
        )
    return address.url_with_credentials


async def end_login(settings: Settings, client: str) -> None:
    """Take a client's login away; its connections are cut.

    Raises:
        Failure: the server still takes it.
    """
    if not has_login(settings, client):
        return
    address = await asyncio.to_thread(kept_address, client_login(client), settings)
    await asyncio.to_thread(_change, settings, client, False)
    if _is_outside(settings):
        sys.stderr.write(OUTSIDE)
    elif not await _comes_to_be(address, client, accepted=False):
        raise no_workshop(
            f"the server still takes the login of {client}", hint="see bottega logs nats; start the workshop again"
        )


def _is_outside(settings: Settings) -> bool:
    """Whether the server is another one than this home's own."""
    found = find_workshop(settings.address_file)
    return found is None or found.nats is None


def _change(settings: Settings, client: str, wanted: bool) -> None:
    folder = settings.nats_folder
    changed = credentials.put_client(folder, client) if wanted else credentials.remove_client(folder, client)
    found = find_workshop(settings.address_file)
    if found is None or found.nats is None:
        return
    server.write_configuration(folder, changed)
    server.signal_reload(folder)
    if client == LOCAL_CLIENT:
        own = changed.address(client_login(client))
        write_address(settings.address_file, replace(found, password=own.password))


async def _comes_to_be(address: Address, client: str, *, accepted: bool) -> bool:
    """Whether the login is accepted, up to the planner, or refused, within the time that a server may take."""
    try:
        async with asyncio.timeout(MAX_WAIT_S):
            while await _reaches_planner(address, client) != accepted:
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        return False
    return True


async def _reaches_planner(address: Address, client: str) -> bool:
    try:
        async with Client.open(address, client_id=client, wait_s=TRY_S) as connected:
            await connected.request(List(count=1), timeout=TRY_S)
    except AcpError:
        return False
    return True
