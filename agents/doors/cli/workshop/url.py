"""`bottega url`: the address of the running workshop with the login of a client, a secret for whoever asked for it."""

import asyncio
import sys

from msgspec import Struct

from agents.doors.cli.errors import NO_WORKSHOP, Failure, bad_input, no_workshop
from agents.doors.cli.settings import load_settings
from agents.doors.cli.workshop.connection import ask, connect_client, require_address
from agents.doors.cli.workshop.login import kept_address
from agents.shared.settings import Settings
from bus.accounts import client_login
from bus.connection import Address
from protocol.codec import encode
from protocol.commands import List
from protocol.results import BatchList


class WorkshopUrl(Struct, frozen=True, kw_only=True):
    """What `bottega url --json` prints."""

    url: str


def show_url(client: str | None, gateway: bool, json: bool) -> None:
    """Print the URL with the login of the terminal's own client, of another one, or of a gateway, once the planner
    answers.

    Raises:
        Failure: there is no workshop, its planner does not answer in time, or it has no such login.
    """
    if client is not None and gateway:
        raise bad_input("--client and --gateway are two different logins", hint="leave one of them out")
    settings = load_settings()
    asyncio.run(_wait_for_planner(settings))
    shown = WorkshopUrl(url=_address(settings, client, gateway).url_with_credentials)
    sys.stdout.write(f"{encode(shown).decode() if json else shown.url}\n")


def _address(settings: Settings, client: str | None, gateway: bool) -> Address:
    if gateway:
        return kept_address("gateway", settings)
    if client is None:
        return require_address(settings)
    try:
        return kept_address(client_login(client), settings)
    except KeyError:
        raise bad_input(
            f"the client {client[:80]} has no login",
            hint="make one known: bottega clients create ID; one that is known gets a login by: "
            "bottega clients rotate ID",
            code="unknown_client",
        ) from None


async def _wait_for_planner(settings: Settings) -> None:
    async with connect_client(settings) as client:
        try:
            await ask(client, List(count=1), BatchList, settings.connect_s)
        except Failure as failure:
            if failure.exit_code != NO_WORKSHOP:
                return  # a refusal is an answer
            raise no_workshop(
                f"there is a server at {require_address(settings).url}, but no planner answered within "
                f"{settings.connect_s:g} s",
                hint="if the workshop is just starting, ask again; else see bottega status and bottega logs planner",
            ) from failure
