"""`bottega costs` and `bottega clients costs`: what pictures cost, in groups, over a span of time."""

import asyncio
import sys
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agents.doors.cli.amounts import format_money
from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.workshop.connection import ask_operator, connect_operator
from agents.doors.cli.workshop.read_records import ask_or_read
from protocol.accounts import Charges, CostReport, CostsBody
from protocol.codec import encode
from protocol.commands import Costs
from protocol.operator import ShowCosts
from protocol.parameters import CostsBy

EXPLANATION = "attempts: every try that was charged, rejected ones included; each: what one stored picture cost in all"
NOTHING_CHARGED = (
    "nothing was charged; pictures of your own device have a price once BOTTEGA_GPU_PRICE_PER_HOUR names it in USD"
)


def show_costs(
    client: str | None,
    batch: str | None,
    since: str | None,
    until: str | None,
    by: CostsBy,
    first: int,
    count: int,
    json: bool,
) -> None:
    """Show a page of the costs of the client that speaks."""
    command = Costs(**_fields(batch, since, until, by, first, count))
    _show(asyncio.run(ask_or_read(command, CostReport, client)), json)


def show_costs_of(
    client: str,
    batch: str | None,
    since: str | None,
    until: str | None,
    by: CostsBy,
    first: int,
    count: int,
    json: bool,
) -> None:
    """Show as the operator a page of a client's costs."""
    command = ShowCosts(client_id=client, **_fields(batch, since, until, by, first, count))
    _show(asyncio.run(_ask(command)), json)


def _fields(
    batch: str | None, since: str | None, until: str | None, by: CostsBy, first: int, count: int
) -> dict[str, Any]:
    return {
        "hash": batch,
        "since": parse_time("--since", since),
        "until": parse_time("--until", until, ends=True),
        "by": by,
        "first": first,
        "count": count,
    }


def _show(answer: CostReport, json: bool) -> None:
    if json:
        sys.stdout.write(encode(answer).decode() + "\n")
    else:
        _print(open_console(), answer.costs)


def parse_time(flag: str, text: str | None, ends: bool = False) -> datetime | None:
    """A time as people write it: a day, or a moment in ISO 8601, in UTC if no zone is given. A day that `ends` a span
    belongs to it.

    Raises:
        Failure: it is neither.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        return found + timedelta(days=1) if ends and _is_day(text) else found
    except (ValueError, OverflowError):
        hint = "a day, 2026-11-01, or a moment, 2026-11-01T12:00:00+01:00"
        raise bad_input(f"{flag} cannot be {text!r}", hint=hint) from None


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _print(console: Console, body: CostsBody) -> None:
    span = f"{f' since {body.since}' if body.since else ''}{f' until {body.until}' if body.until else ''}"
    of_batch = f", batch {body.hash}" if body.hash else ""
    console.print(f"costs of {body.client_id}{of_batch}{span or ', all time'}", markup=False, soft_wrap=True)
    if body.total.cost is None:
        console.print(NOTHING_CHARGED, markup=False, soft_wrap=True)
    else:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column(body.by, no_wrap=True)
        for name in ("cost, USD", "attempts", "pictures", "each, USD"):
            table.add_column(name, no_wrap=True, justify="right")
        for group in body.groups:
            table.add_row(escape(group.name or "not known"), *_figures(group.charges))
        table.add_row("total", *_figures(body.total), style="bold")
        console.print(table)
        if body.next is not None:
            console.print(f"more: the same with --first {body.next}", markup=False)
        console.print(EXPLANATION, style="dim", markup=False, soft_wrap=True)
    limit = (
        "no limit" if body.limit is None else f"limit {format_money(body.limit)}, left {format_money(body.left or 0)}"
    )
    now = f"now: held {format_money(body.held)}, spent in all {format_money(body.spent)}, {limit}"
    console.print(now, markup=False, soft_wrap=True)


def _figures(charges: Charges) -> tuple[str, ...]:
    return (
        _format_dollars(charges.cost),
        str(charges.attempts),
        str(charges.completed),
        _format_dollars(charges.cost_per_image),
    )


def _format_dollars(amount: float | None) -> str:
    """Dollars to the micro-dollar, because a picture made on one's own device costs only a few of them."""
    return "-" if amount is None else f"{amount:.6f}"


async def _ask(command: ShowCosts) -> CostReport:
    async with connect_operator(load_settings()) as operator:
        return await ask_operator(operator, command, CostReport)
