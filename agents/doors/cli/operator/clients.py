"""`bottega clients`: what the operator knows of clients, and changes about them."""

import asyncio
import math
import sys
from typing import TypeVar

from msgspec import UNSET, Struct, UnsetType
from rich.table import Table

from agents.doors.cli.amounts import format_moment, format_money
from agents.doors.cli.errors import bad_input
from agents.doors.cli.operator.logins import end_login, has_login, put_login
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.workshop.connection import ask_operator, connect_operator
from protocol.accounts import ClientBody, ClientChanged, ClientList, ClientReply
from protocol.codec import encode
from protocol.money import dollars
from protocol.operator import (
    CreateClient,
    LimitClient,
    ListClients,
    OperatorCommand,
    ResumeClient,
    RevokeClient,
    RotateClient,
    ShowClient,
    SuspendClient,
)
from protocol.parameters import Limit
from protocol.replies import Reply

Answer = TypeVar("Answer", bound=Reply)


class ClientWithLogin(Struct, frozen=True, kw_only=True):
    """What `create`, `rotate` and the `resume` of a revoked client print with --json; `url` is its login, a secret."""

    client: ClientBody
    url: str


NO_LIMIT = "none"
"""The word that removes a limit."""


def show_page(first: int, count: int, json: bool) -> None:
    """Show a page of clients."""
    answer = asyncio.run(_ask(ListClients(first=first, count=count), ClientList))
    if json:
        sys.stdout.write(encode(answer).decode() + "\n")
        return
    body = answer.client_list
    if not body.clients:
        open_console().print("no clients yet; make one: bottega clients create ID --limit 5.00", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("client", "state", "limit", "spent", "held", "weight", "max in flight", "pictures"):
        table.add_column(name, no_wrap=True)
    for client in body.clients:
        table.add_row(client.client_id, client.state, *_figures(client))
    open_console().print(table)
    if body.next is not None:
        open_console().print(f"more: bottega clients list --first {body.next}", markup=False)


def show(client: str, json: bool) -> None:
    """Show a client."""
    _send_and_show(ShowClient(client_id=client), json)


def create(client: str, limit: str | None, weight: int | None, max_in_flight: str | None, json: bool) -> None:
    """Make a client known."""
    command = CreateClient(
        client_id=client,
        limit=_parse_budget(limit) or None,
        weight=weight or 1,
        max_in_flight=_parse_max_in_flight(max_in_flight) or None,
    )
    _print(asyncio.run(_create(command)), json)


def rotate(client: str, json: bool) -> None:
    """Give a client a new password; the old one ends at once."""
    _print(asyncio.run(_rotate(client)), json)


def revoke(client: str, json: bool) -> None:
    """End a client's login at once, and begin nothing more for it."""
    _print(asyncio.run(_revoke(client)), json)


def limit(client: str, limit: str | None, weight: int | None, max_in_flight: str | None, json: bool) -> None:
    """Change what a client may have."""
    if limit is None and weight is None and max_in_flight is None:
        raise bad_input("nothing to change", hint="give --limit, --weight or --max-in-flight")
    command = LimitClient(
        client_id=client,
        limit=_parse_budget(limit),
        weight=UNSET if weight is None else weight,
        max_in_flight=_parse_max_in_flight(max_in_flight),
    )
    _send_and_show(command, json)


def suspend(client: str, json: bool) -> None:
    """Start no further work for a client."""
    _send_and_show(SuspendClient(client_id=client), json)


def resume(client: str, json: bool) -> None:
    """Go on with a client; one that was revoked gets a new login."""
    _print(asyncio.run(_resume(client)), json)


def _parse_budget(text: str | None) -> Limit | UnsetType | None:
    """Dollars, no limit, or nothing said."""
    if text is None or text == NO_LIMIT:
        return UNSET if text is None else None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MAX_BUDGET:
        raise bad_input(
            f"--limit cannot be {text!r}", hint=f"dollars, such as 5.00, at most {MAX_BUDGET:,.0f}; or {NO_LIMIT}"
        )
    return Limit(amount=amount)


MAX_BUDGET = 1_000_000.0
"""Dollars of the highest budget of the protocol."""


def _parse_max_in_flight(text: str | None) -> int | UnsetType | None:
    if text is None or text == NO_LIMIT:
        return UNSET if text is None else None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise bad_input(f"--max-in-flight cannot be {text!r}", hint=f"1 to 10000, or {NO_LIMIT}")
    return int(text)


async def _create(command: CreateClient) -> ClientWithLogin:
    settings = load_settings()
    async with connect_operator(settings) as operator:
        made = await ask_operator(operator, command, ClientReply)
    return ClientWithLogin(client=made.client, url=await put_login(settings, command.client_id))


async def _rotate(client: str) -> ClientWithLogin:
    settings = load_settings()
    async with connect_operator(settings) as operator:
        changed = await ask_operator(operator, RotateClient(client_id=client), ClientReply)
    return ClientWithLogin(client=changed.client, url=await put_login(settings, client))


async def _revoke(client: str) -> ClientReply:
    settings = load_settings()
    async with connect_operator(settings) as operator:
        revoked = await ask_operator(operator, RevokeClient(client_id=client), ClientReply)
    await end_login(settings, client)
    return revoked


async def _resume(client: str) -> ClientReply | ClientWithLogin:
    settings = load_settings()
    async with connect_operator(settings) as operator:
        resumed = await ask_operator(operator, ResumeClient(client_id=client), ClientReply)
    if await asyncio.to_thread(has_login, settings, client):
        return resumed
    return ClientWithLogin(client=resumed.client, url=await put_login(settings, client))


def _send_and_show(command: OperatorCommand, json: bool) -> None:
    _print(asyncio.run(_ask(command, ClientReply)), json)


def _print(answer: ClientReply | ClientWithLogin, json: bool) -> None:
    if json:
        sys.stdout.write(encode(answer).decode() + "\n")
        return
    client = answer.client
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_row("client", client.client_id)
    table.add_row("state", client.state)
    for name, figure in zip(
        ("limit", "spent", "held", "weight", "max in flight", "pictures"), _figures(client), strict=True
    ):
        table.add_row(name, figure)
    table.add_row("since", format_moment(client.created_at))
    console = open_console()
    console.print(table)
    if isinstance(answer, ClientWithLogin):
        console.print("\nits login, a secret that is shown again by: bottega url --client " + client.client_id)
        console.print(answer.url, markup=False, highlight=False, soft_wrap=True)
    elif answer.changes:
        console.print("\nlast changes, the newest first", style="dim")
        for change in answer.changes:
            console.print(_change_line(change), markup=False, highlight=False, soft_wrap=True)


def _change_line(change: ClientChanged) -> str:
    """`11-30 21:22 UTC  limited  limit 5.00 USD, weight 2`."""
    figures = [_figure(name, value) for name, value in change.detail.items()]
    return f"{format_moment(change.at)}  {change.what.removeprefix('client_')}  {', '.join(figures)}".rstrip()


def _figure(name: str, value: object) -> str:
    if name == "limit_micros":
        return f"limit {format_money(dollars(value)) if isinstance(value, int) else NO_LIMIT}"
    return f"{name.replace('_', ' ')} {NO_LIMIT if value is None else value}"


def _figures(client: ClientBody) -> tuple[str, ...]:
    """Limit, spent, held, weight, bound in flight, pictures."""
    return (
        "none" if client.limit is None else format_money(client.limit),
        format_money(client.spent),
        format_money(client.held),
        str(client.weight),
        "none" if client.max_in_flight is None else str(client.max_in_flight),
        str(client.pictures),
    )


async def _ask(command: OperatorCommand, kind: type[Answer]) -> Answer:
    async with connect_operator(load_settings()) as operator:
        return await ask_operator(operator, command, kind)
