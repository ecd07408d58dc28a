"""Flags that several commands have."""

from typing import Annotated

import typer

from agents.doors.cli import help_panels

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
YesFlag = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask before more than 1000 pictures; needed without a terminal.")
]
StandInFlag = Annotated[
    str | None,
    typer.Option("--stand-in", help="Let this model (pocket) stand in for platforms that are not installed."),
]
ClientFlag = Annotated[
    str | None,
    typer.Option(
        "--client",
        metavar="ID",
        help="Speak as this client, as the workshop's operator or by its login. Left out: BOTTEGA_CLIENT, else local.",
        rich_help_panel=help_panels.SPEAKER,
    ),
]
