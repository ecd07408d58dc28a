"""The `bottega` command, assembled from its rooms. Each has its flags in a file `flags.py`, which imports what a
command needs only when it runs: `--help` is quick."""

import typer

from agents.doors.cli.batches.flags import batches_app
from agents.doors.cli.generate.flags import generate_app
from agents.doors.cli.models.flags import models_app
from agents.doors.cli.operator.cost_flags import costs_app
from agents.doors.cli.operator.flags import clients_app, dead_letters_app
from agents.doors.cli.records.flags import records_app
from agents.doors.cli.rerun.flags import rerun_app
from agents.doors.cli.sessions.flags import batch_app
from agents.doors.cli.workshop.flags import workshop_app

app = typer.Typer(
    name="bottega",
    help="A workshop of AI agents that makes images to order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for room in (generate_app, workshop_app, batches_app, rerun_app, costs_app, records_app):
    app.add_typer(room)
app.add_typer(models_app, name="models")
app.add_typer(batch_app, name="batch")
app.add_typer(clients_app, name="clients")
app.add_typer(dead_letters_app, name="dead-letters")


def main() -> None:
    """Entry point of the `bottega` command."""
    app()
