"""The flags of the commands that start, reach and examine a workshop."""

from typing import Annotated, Literal

import typer

from agents.doors.cli import help_panels
from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag, StandInFlag
from protocol.messages import Role

workshop_app = typer.Typer()
deploy_app = typer.Typer(no_args_is_help=True, help="Run parts of a workshop elsewhere.")


LogName = Literal["planner", "prompt", "generator", "qa", "storage", "supervisor", "up", "nats"]


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def up(
    stand_in: StandInFlag = None,
    detached: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready, and leave it running: see logs and down.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the address line.")] = False,
) -> None:
    """Run a workshop until Ctrl-C: the bus and five agents, restarted when they die."""
    with report_failures():
        if detached:
            from agents.doors.cli.workshop.detached import start_detached

            start_detached(stand_in)
            return
        from agents.doors.cli.workshop.up import up as run

        run(stand_in, quiet)


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def down(json: JsonFlag = False) -> None:
    """End the workshop of this home, after what it has in hand."""
    with report_failures(json):
        from agents.doors.cli.workshop.detached import stop as run

        run(json)


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def logs(
    role: Annotated[
        LogName | None, typer.Argument(metavar="[ROLE]", help="An agent, supervisor, up or nats; left out: all.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show what is written until Ctrl-C.")] = False,
    number: Annotated[int, typer.Option("-n", "--number", min=0, help="How many lines of each to begin with.")] = 20,
) -> None:
    """What the processes of this home's workshop wrote, also when they have ended."""
    with report_failures():
        from agents.doors.cli.workshop.logs import show_logs as run

        run(role, number, follow)


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def config(json: JsonFlag = False) -> None:
    """Every setting, its value, and where it comes from; secrets are hidden."""
    with report_failures(json):
        from agents.doors.cli.workshop.config import show_config as run

        run(json)


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def agent(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="planner, prompt, generator, qa or storage.")],
    lifeline: Annotated[bool, typer.Option("--lifeline", hidden=True)] = False,
) -> None:
    """Run one agent alone, against the running workshop or BOTTEGA_NATS_URL."""
    with report_failures():
        from agents.doors.cli.workshop.agent_process import run_agent

        run_agent(role, lifeline)


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def url(
    client: Annotated[
        str | None, typer.Option("--client", metavar="ID", help="The login of this client. Left out: local's.")
    ] = None,
    gateway: Annotated[
        bool, typer.Option("--gateway", help="The login of a program that speaks for clients of its own.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """The NATS URL with the login of a client, a secret: for programs that order pictures."""
    with report_failures(json):
        from agents.doors.cli.workshop.url import show_url as run

        run(client, gateway, json)


@workshop_app.command(rich_help_panel=help_panels.WORKSHOP)
def doctor(json: JsonFlag = False) -> None:
    """Check that everything is here that a workshop needs, and say what to do if not."""
    with report_failures(json):
        from agents.doors.cli.workshop.doctor import doctor as run

        raise SystemExit(run(json))


@deploy_app.command()
def nats_config() -> None:
    """Print accounts, users and rights for a nats-server of your own. It has passwords."""
    with report_failures():
        from agents.doors.cli.workshop.nats_config import print_nats_config as run

        run()
