"""The flags of `bottega costs`, which `bottega clients costs` has too."""

from typing import Annotated

import typer

from agents.doors.cli import help_panels
from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import ClientFlag, JsonFlag
from agents.doors.cli.wording import OPERATOR
from protocol.parameters import CostsBy

costs_app = typer.Typer()

BatchHash = Annotated[str | None, typer.Option("--batch", metavar="HASH", help="One batch; left out: all.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="From this day or moment on: 2026-11-01, 2026-11-01T12:00+01:00.")
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="To the end of this day, or before this moment. No zone: UTC.")
]
GroupBy = Annotated[CostsBy, typer.Option(help="A line for each of these; days are UTC.")]
First = Annotated[int, typer.Option(min=0, help="How many lines to pass over.")]
Count = Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many lines.")]


@costs_app.command(rich_help_panel=help_panels.RECORDS)
def costs(
    batch: BatchHash = None,
    since: Since = None,
    until: Until = None,
    by: GroupBy = "provider",
    first: First = 0,
    count: Count = 50,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """What pictures cost, and what is held and left."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.costs import show_costs as run

        run(client, batch, since, until, by, first, count, json)
