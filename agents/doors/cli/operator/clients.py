"""`bottega clients`: what the operator knows of clients, and changes about them."""

import asyncio
import math
import sys
from typing import TypeVar

from msgspec import UNSET, UnsetType
from rich.console import Console
from rich.table import Table

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import configured
from agents.doors.cli.workshop.connection import operating, told
from protocol.codec import encode
from protocol.operator import (
    CreateClient,
    LimitClient,
    ListClients,
    OperatorCommand,
    ResumeClient,
    ShowClient,
    SuspendClient,
)
from protocol.parameters import Budget
from protocol.replies import ClientBody, ClientList, ClientReply, Reply

Answer = TypeVar("Answer", bound=Reply)

NONE = "none"
"""What takes a bound away."""


def page(first: int, count: int, json: bool) -> None:
    """Show a page of clients."""
    answer = asyncio.run(_answer(ListClients(first=first, count=count), ClientList))
    if json:
        sys.stdout.write(encode(answer).decode() + "\n")
        return
    body = answer.client_list
    if not body.clients:
        Console().print("no clients yet; make one: bottega clients create ID --limit 5.00", markup=False)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("client", "state", "limit", "spent", "held", "weight", "max in flight", "pictures"):
        table.add_column(name, no_wrap=True)
    for client in body.clients:
        table.add_row(client.client_id, client.state, *_figures(client))
    Console().print(table)
    if body.next is not None:
        Console().print(f"more: bottega clients list --first {body.next}", markup=False)


def show(client: str, json: bool) -> None:
    """Show a client."""
    _shown(ShowClient(client_id=client), json)


def create(client: str, limit: str | None, weight: int | None, max_in_flight: str | None, json: bool) -> None:
    """Make a client known."""
    command = CreateClient(
        client_id=client,
        limit=_budget(limit) or None,
        weight=weight or 1,
        max_in_flight=_places(max_in_flight) or None,
    )
    _shown(command, json)


def limit(client: str, limit: str | None, weight: int | None, max_in_flight: str | None, json: bool) -> None:
    """Change what a client may have."""
    if limit is None and weight is None and max_in_flight is None:
        raise bad_input("nothing to change", hint="give --limit, --weight or --max-in-flight")
    command = LimitClient(
        client_id=client,
        limit=_budget(limit),
        weight=UNSET if weight is None else weight,
        max_in_flight=_places(max_in_flight),
    )
    _shown(command, json)


def suspend(client: str, json: bool) -> None:
    """Begin nothing more for a client."""
    _shown(SuspendClient(client_id=client), json)


def resume(client: str, json: bool) -> None:
    """Go on with a client."""
    _shown(ResumeClient(client_id=client), json)


def _budget(text: str | None) -> Budget | UnsetType | None:
    """Dollars, no limit, or nothing said."""
    if text is None or text == NONE:
        return UNSET if text is None else None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 <= amount <= MOST:
        raise bad_input(f"--limit cannot be {text!r}", hint=f"dollars, such as 5.00, at most {MOST:,.0f}; or {NONE}")
    return Budget(amount=amount)


MOST = 1_000_000.0
"""Dollars of the highest budget of the protocol."""


def _places(text: str | None) -> int | UnsetType | None:
    if text is None or text == NONE:
        return UNSET if text is None else None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise bad_input(f"--max-in-flight cannot be {text!r}", hint=f"1 to 10000, or {NONE}")
    return int(text)


def _shown(command: OperatorCommand, json: bool) -> None:
    answer = asyncio.run(_answer(command, ClientReply))
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
    table.add_row("since", client.created_at)
    Console().print(table)


def _figures(client: ClientBody) -> tuple[str, ...]:
    """Limit, spent, held, weight, bound in flight, pictures."""
    return (
        "none" if client.limit is None else f"{client.limit:.2f} USD",
        f"{client.spent:.4f} USD",
        f"{client.held:.4f} USD",
        str(client.weight),
        "none" if client.max_in_flight is None else str(client.max_in_flight),
        str(client.pictures),
    )


async def _answer(command: OperatorCommand, kind: type[Answer]) -> Answer:
    async with operating(configured()) as operator:
        return await told(operator, command, kind)
