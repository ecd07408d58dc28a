"""The `bottega` command, assembled from its rooms. Each has its flags in a file `flags.py`, which imports what a
command needs only when it runs: `--help` is quick."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from agents.doors.cli import help_panels
from agents.doors.cli.batches.flags import batches_app
from agents.doors.cli.generate.flags import generate_app
from agents.doors.cli.models.flags import models_app
from agents.doors.cli.operator.cost_flags import costs_app
from agents.doors.cli.operator.flags import clients_app, dead_letters_app
from agents.doors.cli.other_spellings import the_one_name
from agents.doors.cli.records.flags import records_app
from agents.doors.cli.rerun.flags import rerun_app
from agents.doors.cli.sessions.flags import batch_app
from agents.doors.cli.styles.flags import styles_app
from agents.doors.cli.terminal.control_characters import show_control_characters
from agents.doors.cli.terminal.shown_stream import protect_terminal
from agents.doors.cli.workshop.flags import deploy_app, workshop_app


class Commands(TyperGroup):
    """All commands. Typer shows what it does not understand by itself, on a console of its own."""

    def invoke(self, ctx: Any) -> Any:
        protect_terminal()
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            error.message = show_control_characters(error.message)
            raise


app = typer.Typer(
    name="bottega",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"token_normalize_func": the_one_name},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        typer.echo(f"bottega {importlib.metadata.version('bottega')}")
        raise typer.Exit


@app.callback()
def bottega(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A workshop of AI agents that makes images to order."""


app.add_typer(generate_app)
app.add_typer(batches_app)
app.add_typer(batch_app, name="batch", rich_help_panel=help_panels.MAKE)
app.add_typer(rerun_app)
app.add_typer(models_app, name="models", rich_help_panel=help_panels.LIBRARY)
app.add_typer(styles_app, name="styles", rich_help_panel=help_panels.LIBRARY)
app.add_typer(workshop_app)
app.add_typer(costs_app)
app.add_typer(records_app)
app.add_typer(clients_app, name="clients", rich_help_panel=help_panels.OPERATOR)
app.add_typer(deploy_app, name="deploy", rich_help_panel=help_panels.OPERATOR)
app.add_typer(dead_letters_app, name="dead-letters", rich_help_panel=help_panels.OPERATOR)


def main() -> None:
    """Entry point of the `bottega` command."""
    app()
