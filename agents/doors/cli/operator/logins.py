"""Logins of clients at the broker of this home: made, changed and ended."""

import asyncio
import sys

from msgspec.structs import replace

from agents.doors.cli.workshop.login import kept_address
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop, write_address
from bus import client_logins, credentials
from bus.accounts import LOCAL_CLIENT, client_login

OUTSIDE = (
    "note: the server of BOTTEGA_NATS_URL is not this home's own: the login is kept here, and that server follows once "
    "it has its configuration again: bottega deploy nats-config\n"
)


def has_login(settings: Settings, client: str) -> bool:
    """Whether this home keeps a login of the client."""
    kept = credentials.read_credentials(settings.nats_folder)
    return kept is not None and client_login(client) in kept.passwords


async def put_login(settings: Settings, client: str) -> str:
    """Give a client a new password, and return the URL for it; what had the old one is cut off.

    Raises:
        Unavailable: the server does not take it in time.
    """
    if await asyncio.to_thread(_is_outside, settings):
        await asyncio.to_thread(credentials.put_client, settings.nats_folder, client)
        sys.stderr.write(OUTSIDE)
    else:
        await client_logins.put_client(settings.nats_folder, client)
    return await asyncio.to_thread(_url_of, settings, client)


async def end_login(settings: Settings, client: str) -> None:
    """Take a client's login away; its connections are cut.

    Raises:
        Unavailable: the server still takes it.
    """
    if await asyncio.to_thread(_is_outside, settings):
        await asyncio.to_thread(credentials.remove_client, settings.nats_folder, client)
        sys.stderr.write(OUTSIDE)
    else:
        await client_logins.remove_client(settings.nats_folder, client)


def _is_outside(settings: Settings) -> bool:
    """Whether the server is another one than this home's own."""
    found = find_workshop(settings.address_file)
    return found is None or found.nats is None


def _url_of(settings: Settings, client: str) -> str:
    address = kept_address(client_login(client), settings)
    found = find_workshop(settings.address_file)
    if client == LOCAL_CLIENT and found is not None and found.nats is not None:
        write_address(settings.address_file, replace(found, password=address.password))
    return address.url_with_credentials
