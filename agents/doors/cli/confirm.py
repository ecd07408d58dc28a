"""Orders of very many pictures are asked about before they are sent."""

import sys

import typer

from agents.doors.cli.errors import INTERRUPTED, Failure, bad_input
from protocol.errors import ErrorBody

MAX_UNASKED = 1000
"""Pictures that are made without asking: some hours of one GPU."""


def confirm_number(pictures: int, yes: bool) -> None:
    """Ask on a terminal whether so many pictures are meant.

    Raises:
        Failure: they are not, or there is nobody to ask.
    """
    if not needs_answer(pictures, yes, interactive=sys.stdin.isatty() and sys.stderr.isatty()):
        return
    if not typer.confirm(f"Make {pictures:,} pictures?", err=True):
        raise Failure(ErrorBody(code="cancelled", message="nothing was made", hint="ask for fewer: -n"), INTERRUPTED)


def needs_answer(pictures: int, yes: bool, *, interactive: bool) -> bool:
    """Whether a person has to be asked.

    Raises:
        Failure: one has to be, and there is nobody.
    """
    if pictures <= MAX_UNASKED or yes:
        return False
    if not interactive:
        raise bad_input(
            f"{pictures:,} pictures are more than the {MAX_UNASKED:,} that are made without asking",
            hint="--yes makes them; or ask for fewer: -n",
        )
    return True
