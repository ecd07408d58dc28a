"""The flags of `bottega styles`."""

from typing import Annotated

import typer

from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag

styles_app = typer.Typer(help="Styles and style references, the packaged ones and yours.", invoke_without_command=True)


@styles_app.callback()
def list_by_default(context: typer.Context, json: JsonFlag = False) -> None:
    """Styles and style references, the packaged ones and yours."""
    if context.invoked_subcommand is None:
        list_styles(json)


@styles_app.command("list")
def list_styles(json: JsonFlag = False) -> None:
    """Every style and style reference by its name."""
    with report_failures(json):
        from agents.doors.cli.styles.show import list_styles as run

        run(json)


@styles_app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A style or a style reference.")], json: JsonFlag = False
) -> None:
    """All that a style or a style reference says, and the file that says it."""
    with report_failures(json):
        from agents.doors.cli.styles.show import show_style as run

        run(name, json)
