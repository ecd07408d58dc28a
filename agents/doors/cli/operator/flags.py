"""The flags of the operator's commands: `bottega clients` and `bottega dead-letters`."""

from pathlib import Path
from typing import Annotated

import typer

from agents.doors.cli.errors import report_failures
from agents.doors.cli.operator.cost_flags import BatchHash, Count, First, GroupBy, Since, Until
from agents.doors.cli.shared_flags import JsonFlag
from agents.doors.cli.wording import OPERATOR

clients_app = typer.Typer(help="Clients of the workshop: what they may spend, and their share.", no_args_is_help=True)
dead_letters_app = typer.Typer(help="Messages that were given up: looked at, and said again.", no_args_is_help=True)

ClientId = Annotated[str, typer.Argument(metavar="ID", help="The client, as its command subject names it.")]
BudgetLimit = Annotated[
    str | None, typer.Option(metavar="DOLLARS|none", help="The most that it may hold and spend together.")
]
Weight = Annotated[int | None, typer.Option(min=1, help="Pictures in each of its turns; 1 where nothing is said.")]
MaxInFlight = Annotated[
    str | None, typer.Option("--max-in-flight", metavar="N|none", help="The most pictures of it in flight.")
]
LetterId = Annotated[int, typer.Argument(metavar="ID", help="The letter, as dead-letters list shows it.")]
SubjectPattern = Annotated[
    str | None, typer.Option("--subject", metavar="PATTERN", help="Only what was sent to: 'acp.v1.work.generate.>'.")
]


@clients_app.command("list")
def list_clients(
    first: Annotated[int, typer.Option(min=0, help="How many to pass over.")] = 0,
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many clients.")] = 50,
    json: JsonFlag = False,
) -> None:
    """Every client, by name."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import show_page as run

        run(first, count, json)


@clients_app.command()
def show(client: ClientId, json: JsonFlag = False) -> None:
    """What a client may have, what it spent, and what was changed about it last."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import show as run

        run(client, json)


@clients_app.command()
def costs(
    client: ClientId,
    batch: BatchHash = None,
    since: Since = None,
    until: Until = None,
    by: GroupBy = "provider",
    first: First = 0,
    count: Count = 50,
    json: JsonFlag = False,
) -> None:
    """What a client's pictures cost, as it sees it with `bottega costs`."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.costs import show_costs_of as run

        run(client, batch, since, until, by, first, count, json)


@clients_app.command()
def create(
    client: ClientId,
    limit: BudgetLimit = None,
    weight: Weight = None,
    max_in_flight: MaxInFlight = None,
    json: JsonFlag = False,
) -> None:
    """Make a client known and give it a login, whose URL is printed."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import create as run

        run(client, limit, weight, max_in_flight, json)


@clients_app.command("limit")
def limit_client(
    client: ClientId,
    limit: BudgetLimit = None,
    weight: Weight = None,
    max_in_flight: MaxInFlight = None,
    json: JsonFlag = False,
) -> None:
    """Change what a client may have; what is left out stays."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import limit as run

        run(client, limit, weight, max_in_flight, json)


@clients_app.command()
def suspend(client: ClientId, json: JsonFlag = False) -> None:
    """Begin nothing more for a client; its pictures in flight are finished."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import suspend as run

        run(client, json)


@clients_app.command()
def resume(client: ClientId, json: JsonFlag = False) -> None:
    """Go on with a suspended or revoked client and its batches; a revoked one gets a new login."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import resume as run

        run(client, json)


@clients_app.command()
def rotate(client: ClientId, json: JsonFlag = False) -> None:
    """Give a client a new password, which is printed; the old one ends at once."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import rotate as run

        run(client, json)


@clients_app.command()
def revoke(client: ClientId, json: JsonFlag = False) -> None:
    """End a client's login at once, and begin nothing more for it; its pictures in flight are finished."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.clients import revoke as run

        run(client, json)


@dead_letters_app.command("list")
def list_letters(
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many letters.")] = 20,
    before: Annotated[int | None, typer.Option(metavar="ID", help="Only those that are older than this one.")] = None,
    subject: SubjectPattern = None,
    json: JsonFlag = False,
) -> None:
    """Messages that were given up, newest first."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.dead_letters import show_page as run

        run(count, before, subject, json)


@dead_letters_app.command("show")
def show_letter(
    letter: LetterId,
    raw: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the original bytes there.")] = None,
    json: JsonFlag = False,
) -> None:
    """Why a message was given up, and what it said."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.dead_letters import show_letter as run

        run(letter, raw, json)


@dead_letters_app.command()
def replay(
    letter: Annotated[int | None, typer.Argument(metavar="[ID]", help="The letter; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every letter, the oldest first.")] = False,
    subject: SubjectPattern = None,
    json: JsonFlag = False,
) -> None:
    """Say a message again where it was, if its work is still expected, and take the letter away."""
    with report_failures(json, OPERATOR):
        from agents.doors.cli.operator.replay import replay as run

        raise SystemExit(run(letter, everything, subject, json))
