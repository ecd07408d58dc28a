"""The flags of the commands about a batch: what sends one, shows it, and changes how it goes on."""

from typing import Annotated, Literal

import typer

from agents.doors.cli import help_panels
from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import ClientFlag, JsonFlag, YesFlag
from agents.doors.cli.wording import BATCH
from protocol.parameters import ServiceClass

batches_app = typer.Typer()

BatchHash = Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")]
ImageId = Annotated[str | None, typer.Option("--image", metavar="ID", help="One picture, by its id or its index.")]
PriorityClass = Annotated[
    ServiceClass, typer.Argument(metavar="CLASS", help="interactive, which goes first, or batch.")
]

CommandSource = Annotated[
    str, typer.Argument(metavar="FILE|-", help="A file with one JSON command; - reads standard input.")
]


@batches_app.command(rich_help_panel=help_panels.MAKE)
def send(source: CommandSource, client: ClientFlag = None) -> None:
    """Send a JSON command and print the reply as it came."""
    with report_failures(json=True):
        from agents.doors.cli.batches.send import send as run

        raise SystemExit(run(source, client))


@batches_app.command(rich_help_panel=help_panels.MAKE)
def plan(
    source: CommandSource,
    hold: Annotated[
        bool, typer.Option("--hold", help="Keep the plan for an hour, its money held, and print its approval.")
    ] = False,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Show what a GENERATE_IMAGES command would do and cost, and keep nothing of it."""
    with report_failures(json):
        from agents.doors.cli.batches.send import plan as run

        raise SystemExit(run(source, hold, client, json))


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def status(
    batch: Annotated[str | None, typer.Argument(metavar="[HASH]", help="A batch; without it, the workshop.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show progress of HASH, or of the newest batch, until its end.")
    ] = False,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Where a batch stands, or which processes run."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.status import status as run

        raise SystemExit(run(batch, watch, client, json))


@batches_app.command("list", rich_help_panel=help_panels.BATCHES)
def list_batches(
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many batches, newest first.")] = 20,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """The batches of a client, newest first; with --client all those of everyone, for the operator."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.status import list_batches as run

        run(count, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def result(
    batch: Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")],
    first: Annotated[int, typer.Option(min=0, help="Index of the first picture.")] = 0,
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many pictures.")] = 100,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """The pictures of a batch, made or not, a page at a time."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.status import result as run

        run(batch, first, count, client, json)


@batches_app.command("open", rich_help_panel=help_panels.BATCHES)
def open_batch(
    batch: Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")],
    print_only: Annotated[bool, typer.Option("--print", help="Only print where the page is.")] = False,
    json: JsonFlag = False,
) -> None:
    """Open the page of a batch in a browser: its pictures and all that is known of them."""
    with report_failures(json):
        from agents.doors.cli.batches.page import open_page as run

        run(batch, print_only, json)


@batches_app.command(rich_help_panel=help_panels.MAKE)
def approve(
    batch: BatchHash,
    approval: Annotated[str, typer.Argument(metavar="APPROVAL", help="As the held plan showed it.")],
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Start a plan that was held."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.send import approve as run

        raise SystemExit(run(batch, approval, client, json))


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def pause(batch: BatchHash, client: ClientFlag = None, json: JsonFlag = False) -> None:
    """Hand out no further pictures of a batch; those in the making are finished."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import pause as run

        run(batch, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def resume(batch: BatchHash, client: ClientFlag = None, json: JsonFlag = False) -> None:
    """Go on with a paused batch."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import resume as run

        run(batch, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def retry(batch: BatchHash, image: ImageId = None, client: ClientFlag = None, json: JsonFlag = False) -> None:
    """Try the failed pictures of a batch again, or one of them."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import retry as run

        run(batch, image, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def cancel(
    batch: BatchHash,
    pending: Annotated[bool, typer.Option("--pending", help="Only what has not started.")] = False,
    image: ImageId = None,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Stop a batch, what of it has not started, or one picture."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import cancel as run

        run(batch, pending, image, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def priority(batch: BatchHash, to: PriorityClass, client: ClientFlag = None, json: JsonFlag = False) -> None:
    """Move a batch between the interactive and the batch class."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import priority as run

        run(batch, to, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def amend(
    batch: BatchHash,
    number: Annotated[int | None, typer.Option("-n", "--number", min=1, help="How many pictures in the end.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Below this score, 0 to 1, a picture is made again.")] = None,
    negative: Annotated[str | None, typer.Option(help="What the pictures should not show.")] = None,
    yes: YesFlag = False,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Change what of a batch has not started."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import amend as run
        from agents.doors.cli.confirm import confirm_number

        confirm_number(number or 1, yes)
        run(batch, number, min_score, negative, client, json)


@batches_app.command(rich_help_panel=help_panels.BATCHES)
def upgrade(
    batch: BatchHash,
    size: Annotated[str | None, typer.Option(help="WxH, an aspect such as 16:9, or 1K, 2K, 4K.")] = None,
    quality: Annotated[
        Literal["low", "medium", "standard", "high", "hd", "auto"] | None,
        typer.Option(help="hd takes twice the steps."),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="ID", help="One picture, by its id or its index; repeatable. Left out: all."),
    ] = None,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Make finished pictures again, larger or better, with the same seeds and prompts."""
    with report_failures(json, BATCH):
        from agents.doors.cli.batches.control import upgrade as run

        raise SystemExit(run(batch, size, quality, image or [], client, json))
