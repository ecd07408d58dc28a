"""The flags of the commands that start, reach and examine a workshop."""

from typing import Annotated

import typer

from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag, StandInFlag
from protocol.messages import Role

workshop_app = typer.Typer()


@workshop_app.command()
def up(
    stand_in: StandInFlag = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the address line.")] = False,
) -> None:
    """Run a workshop until Ctrl-C: the bus and five agents, restarted when they die."""
    with report_failures():
        from agents.doors.cli.workshop.up import up as run

        run(stand_in, quiet)


@workshop_app.command()
def agent(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="planner, prompt, generator, qa or storage.")],
    lifeline: Annotated[bool, typer.Option("--lifeline", hidden=True)] = False,
) -> None:
    """Run one agent alone, against the running workshop or BOTTEGA_NATS_URL."""
    with report_failures():
        from agents.doors.cli.workshop.agent_process import run_agent

        run_agent(role, lifeline)


@workshop_app.command()
def url(json: JsonFlag = False) -> None:
    """The NATS URL with client credentials, for other clients of the running workshop."""
    with report_failures(json):
        from agents.doors.cli.workshop.connection import show_url as run

        run(json)


@workshop_app.command()
def doctor(json: JsonFlag = False) -> None:
    """Check that everything is here that a workshop needs, and say what to do if not."""
    with report_failures(json):
        from agents.doors.cli.workshop.doctor import doctor as run

        raise SystemExit(run(json))
