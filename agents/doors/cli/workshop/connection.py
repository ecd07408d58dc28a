"""A client of the running workshop, or of one that is started for the occasion."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from agents.doors.cli.brought_blobs import brought_blobs
from agents.doors.cli.errors import Failure, bad_input, failure_of_error, failure_of_reply, no_workshop
from agents.doors.cli.settings import load_settings
from agents.doors.cli.speaker import client_of_command, needs_operator
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
from protocol.accounts import ClientReply
from protocol.commands import Command, GenerateImages, List
from protocol.errors import AcpError, Unavailable
from protocol.operator import ListBatches, OperatorCommand, OwnBlob
from protocol.replies import ErrorReply, Reply
from protocol.results import BatchList

Answer = TypeVar("Answer", bound=Reply)

RETRY_S = 0.3
"""Pause before a planner that does not answer is asked again."""


@dataclass(frozen=True)
class Speaker:
    """The login of a command, and the client that it speaks for."""

    address: Address
    client_id: str


def workshop_address(settings: Settings) -> Address | None:
    """Where the workshop of this home is, or the server that the settings name; null where there is neither."""
    if narrow := _narrow_login(settings):
        return narrow
    if found := find_workshop(settings.address_file):
        return Address(found.url, found.user, found.password)
    if settings.nats_url is None:
        return None
    return outside_address(settings.nats_url, settings.nats_folder, client_login(LOCAL_CLIENT))


def _narrow_login(settings: Settings) -> Address | None:
    """The login of the settings' URL where it is a client's or a gateway's: who gives one wants to be no more, also in
    a home whose workshop runs."""
    address = None if settings.nats_url is None else Address.parse(settings.nats_url)
    return address if address and needs_operator(address.user, "") else None


def speaker_of(settings: Settings) -> Speaker:
    """Who speaks: where this home keeps the logins, the terminal's client by its own and every other one by the
    operator's; elsewhere whom the login of the URL may speak for.

    Raises:
        Failure: nothing to talk to, or the login is another client's.
    """
    address = require_address(settings)
    if not _keeps_logins(settings):
        return Speaker(address, client_of_command(address.user, settings.client))
    client = client_of_command(None, settings.client)
    return Speaker(address if client == LOCAL_CLIENT else login_address("operator", settings), client)


def _keeps_logins(settings: Settings) -> bool:
    """Whether the logins lie in this home, for a broker of its own or one whose URL has none."""
    if _narrow_login(settings):
        return False
    found = find_workshop(settings.address_file)
    if found is not None and found.nats is not None:
        return True
    return settings.nats_url is not None and Address.parse(settings.nats_url).user is None


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
    """A client of the running workshop. What it is refused because a batch is another client's says whose.

    Raises:
        Failure: there is none.
        AcpError: it does not answer.
    """
    silence_logs()
    speaker = speaker_of(settings)
    async with Client.open(speaker.address, client_id=speaker.client_id, wait_s=settings.connect_s) as client:
        try:
            yield client
        except Failure as failure:
            raise await _with_owner(failure, settings) from None


async def _with_owner(failure: Failure, settings: Settings) -> Failure:
    """A failure about a batch; where it is another client's, and the operator is at hand, it says whose."""
    if failure.body.code != "unknown_batch" or failure.batch is None:
        return failure
    try:
        async with Operator.open(login_address("operator", settings), wait_s=settings.connect_s) as operator:
            found = await ask_operator(operator, ListBatches(hash=failure.batch), BatchList)
    except (Failure, AcpError):
        return failure
    return owned_by_another(failure, failure.batch, found)


def owned_by_another(failure: Failure, batch: str, found: BatchList) -> Failure:
    """What an operator is told instead of a client that a batch is not known; `found` is what the ledger has of it."""
    for one in found.batch_list.batches:
        if one.client_id:
            return bad_input(
                f"the batch {batch} is {one.client_id}'s", hint=f"add --client {one.client_id}", code="unknown_batch"
            )
    return failure


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
        async with run_workshop(settings, lambda notice: _show_trouble(notice, display), stays=False) as workshop:
            with display.show_waiting("starting a workshop: nats-server and five agents"):
                await workshop.wait_until_ready()
            async with connect_client(settings) as client:
                yield client


async def ask(client: Client, command: Command, kind: type[Answer], patience_s: float = 0.0) -> Answer:
    """The reply to a command, of the kind that this command is answered with. What may work later, such as a planner
    that is being restarted, is asked again for `patience_s` seconds.

    Raises:
        Failure: the workshop answered with an error, or not at all.
    """
    deadline = time.monotonic() + patience_s
    if isinstance(command, GenerateImages) and (brought := sorted(brought_blobs(command))):
        await _own_blobs(client.client_id, brought)
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
            failure = failure_of_reply(reply.error, getattr(command, "hash", None))
        if not failure.body.retryable or time.monotonic() > deadline:
            raise failure
        told = failure.body.retry_after_s or RETRY_S
        await asyncio.sleep(min(told, max(RETRY_S, deadline - time.monotonic())))


async def _own_blobs(client_id: str, blobs: Sequence[str]) -> None:
    """Say that a client brought the files that lie in the blob store, so that it may name them."""
    async with connect_operator(load_settings()) as operator:
        for blob in blobs:
            await ask_operator(operator, OwnBlob(client_id=client_id, blob=blob), ClientReply)


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
    speaker = speaker_of(settings)
    async with Client.open(speaker.address, client_id=speaker.client_id, wait_s=settings.connect_s) as client:
        try:
            await client.request(List(count=1), timeout=settings.connect_s)
        except Unavailable:
            return False
        return True


def _show_trouble(notice: Notice, display: Display) -> None:
    """While a batch is made, only trouble is worth a line."""
    if notice.what in ("died", "killed", "full", "stuck"):
        display.print_line(f"{notice.unit} {notice.what}: {notice.detail}")
