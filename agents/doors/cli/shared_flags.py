"""Flags that several commands have."""

from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on standard output.")]
StandInFlag = Annotated[
    str | None,
    typer.Option("--stand-in", help="Let this model (pocket) stand in for platforms that are not installed."),
]
