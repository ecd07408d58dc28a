"""A client of the running workshop, or of one that is started for the occasion."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar

from msgspec import Struct

from agents.doors.cli.errors import NO_WORKSHOP, Failure, failure_of_error, failure_of_reply, no_workshop
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.display import Display
from agents.doors.cli.terminal.logs import log_to_file, silence_logs
from agents.doors.cli.workshop.login import login_address
from agents.shared.settings import Settings
from agents.shared.supervisor.address import find_workshop
from agents.shared.supervisor.notice import Notice
from agents.shared.supervisor.supervise import run_workshop
from bus.accounts import LOCAL_CLIENT, client_login
from bus.client import Client
from bus.connection import Address
from bus.credentials import outside_address
from bus.operator import Operator
from protocol.codec import encode
from protocol.commands import Command, List
from protocol.errors import AcpError, Unavailable
from protocol.operator import OperatorCommand
from protocol.replies import ErrorReply, Reply
from protocol.results import BatchList

Answer = TypeVar("Answer", bound=Reply)

RETRY_S = 0.3
"""Pause before a planner that does not answer is asked again."""


def workshop_address(settings: Settings) -> Address | None:
    """Where the workshop of this home is, or the server that the settings name; null where there is neither."""
    if found := find_workshop(settings.address_file):
        return Address(found.url, found.user, found.password)
    if settings.nats_url is None:
        return None
    return outside_address(settings.nats_url, settings.nats_folder, client_login(LOCAL_CLIENT))


def require_address(settings: Settings) -> Address:
    """Like `workshop_address`, for commands that cannot do without.

    Raises:
        Failure: nothing to talk to.
    """
    if address := workshop_address(settings):
        return address
    raise no_workshop(
        f"no workshop runs in {settings.home}",
        hint="start one: bottega up; or point BOTTEGA_HOME or BOTTEGA_NATS_URL to one",
    )


@asynccontextmanager
async def connect_client(settings: Settings) -> AsyncGenerator[Client]:
    """A client of the running workshop.

    Raises:
        Failure: there is none.
        AcpError: it does not answer.
    """
    silence_logs()
    async with Client.open(require_address(settings), wait_s=settings.connect_s) as client:
        yield client


@asynccontextmanager
async def connect_or_start(settings: Settings, display: Display) -> AsyncGenerator[Client]:
    """A client of the running workshop, else of one that lives as long as the context.

    Raises:
        AcpError: the workshop cannot be started.
    """
    silence_logs()
    if await _has_workshop(settings):
        async with connect_client(settings) as client:
            yield client
        return
    with log_to_file(settings.home / "logs" / "supervisor.log"):
        async with (
            run_workshop(settings, lambda notice: _show_trouble(notice, display), stays=False) as workshop,
            Client.open(workshop.client) as client,
        ):
            with display.show_waiting("starting a workshop: nats-server and five agents"):
                await workshop.wait_until_ready()
            yield client


async def ask(client: Client, command: Command, kind: type[Answer], patience_s: float = 0.0) -> Answer:
    """The reply to a command, of the kind that this command is answered with. What may work later, such as a planner
    that is being restarted, is asked again for `patience_s` seconds.

    Raises:
        Failure: the workshop answered with an error, or not at all.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            reply = await client.request(command)
        except AcpError as error:
            failure = failure_of_error(error)
        else:
            if isinstance(reply, kind):
                return reply
            if not isinstance(reply, ErrorReply):
                raise TypeError(f"a {type(reply).__name__} is no answer to {type(command).__name__}")
            failure = failure_of_reply(reply.error)
        if not failure.body.retryable or time.monotonic() > deadline:
            raise failure
        await asyncio.sleep(RETRY_S)


@asynccontextmanager
async def connect_operator(settings: Settings) -> AsyncGenerator[Operator]:
    """The operator of the running workshop: with the login that its home keeps, or that of BOTTEGA_NATS_URL.

    Raises:
        Failure: there is none.
        AcpError: it does not answer.
    """
    silence_logs()
    async with Operator.open(login_address("operator", settings), wait_s=settings.connect_s) as operator:
        yield operator


async def ask_operator(operator: Operator, command: OperatorCommand, kind: type[Answer]) -> Answer:
    """The reply to the operator's command, of the kind that this command is answered with.

    Raises:
        Failure: the workshop answered with an error, or not at all.
    """
    reply = await operator.request(command)
    match reply:
        case ErrorReply(error=error):
            raise failure_of_reply(error)
        case _ if isinstance(reply, kind):
            return reply
        case _:
            raise TypeError(f"a {type(reply).__name__} is no answer to {type(command).__name__}")


async def _has_workshop(settings: Settings) -> bool:
    """Whether there is a planner to talk to; a server of someone else may be there without one."""
    if find_workshop(settings.address_file):
        return True
    if settings.nats_url is None:
        return False
    async with Client.open(Address.parse(settings.nats_url), wait_s=settings.connect_s) as client:
        try:
            await client.request(List(count=1), timeout=settings.connect_s)
        except Unavailable:
            return False
        return True


def _show_trouble(notice: Notice, display: Display) -> None:
    """While a batch is made, only trouble is worth a line."""
    if notice.what in ("died", "killed", "full", "stuck"):
        display.print_line(f"{notice.unit} {notice.what}: {notice.detail}")


class WorkshopUrl(Struct, frozen=True, kw_only=True):
    """What `bottega url --json` prints."""

    url: str


def show_url(json: bool) -> None:
    """Print the URL of the running workshop with the client's credentials, a secret for whoever asked for it, once its
    planner answers.

    Raises:
        Failure: there is no workshop, or its planner does not answer in time.
    """
    settings = load_settings()
    address = require_address(settings)
    asyncio.run(_wait_for_planner(address, settings))
    shown = WorkshopUrl(url=address.url_with_credentials)
    sys.stdout.write(f"{encode(shown).decode() if json else shown.url}\n")


async def _wait_for_planner(address: Address, settings: Settings) -> None:
    async with connect_client(settings) as client:
        try:
            await ask(client, List(count=1), BatchList, settings.connect_s)
        except Failure as failure:
            if failure.exit_code != NO_WORKSHOP:
                return  # a refusal is an answer
            raise no_workshop(
                f"there is a server at {address.url}, but no planner answered within {settings.connect_s:g} s",
                hint="if the workshop is just starting, ask again; else see bottega status and bottega logs planner",
            ) from failure
