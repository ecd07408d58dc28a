"""The flags of the commands that look after what a workshop keeps."""

from pathlib import Path
from typing import Annotated

import typer

from agents.doors.cli import help_panels
from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag

records_app = typer.Typer()


@records_app.command(rich_help_panel=help_panels.RECORDS)
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder that is not there yet.")],
    json: JsonFlag = False,
) -> None:
    """Copy the records, but not the pictures, as they are now, also while the workshop runs."""
    with report_failures(json):
        from agents.doors.cli.records.backup import backup as run

        run(folder, json)


@records_app.command(rich_help_panel=help_panels.RECORDS)
def restore(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="What backup has written.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the records that are there.")] = False,
    json: JsonFlag = False,
) -> None:
    """Put the records of a backup back where no workshop runs, on SQLite or PostgreSQL."""
    with report_failures(json):
        from agents.doors.cli.records.restore import restore as run

        run(folder, force, json)


@records_app.command(rich_help_panel=help_panels.RECORDS)
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would go.")] = False,
    json: JsonFlag = False,
) -> None:
    """Remove now what is needed no more; a workshop does so by itself every ten minutes."""
    with report_failures(json):
        from agents.doors.cli.records.prune import prune as run

        run(dry_run, json)
