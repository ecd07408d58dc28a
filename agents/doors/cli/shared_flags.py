"""Flags that several commands have."""

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
YesFlag = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask before more than 1000 pictures; needed without a terminal.")
]
StandInFlag = Annotated[
    str | None,
    typer.Option("--stand-in", help="Let this model (pocket) stand in for platforms that are not installed."),
]
