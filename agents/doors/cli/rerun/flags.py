"""The flags of `bottega rerun`."""

from pathlib import Path
from typing import Annotated

import typer

from agents.doors.cli import help_panels
from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag

rerun_app = typer.Typer()


@rerun_app.command(rich_help_panel=help_panels.MAKE)
def rerun(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The PNG file of a picture.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the new picture to this file.")] = None,
    source: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture that it was made from, if it was removed.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Make a picture again from its own file: identical, same to tolerance, or drifted and why."""
    with report_failures(json):
        from agents.doors.cli.rerun.run import rerun as run

        raise SystemExit(run(image, out, source or [], json))
