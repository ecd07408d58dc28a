"""The flags of the commands that change how a batch goes on."""

from typing import Annotated, Literal

import typer

from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag
from protocol.parameters import ServiceClass

control_app = typer.Typer()

BatchHash = Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")]
ImageId = Annotated[str | None, typer.Option("--image", metavar="ID", help="One picture, by its id or its index.")]
PriorityClass = Annotated[
    ServiceClass, typer.Argument(metavar="CLASS", help="interactive, which goes first, or batch.")
]


@control_app.command()
def approve(
    batch: BatchHash,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The approval of the held plan.")],
    json: JsonFlag = False,
) -> None:
    """Start a plan that was held."""
    with report_failures(json):
        from agents.doors.cli.batches.send import approve as run

        raise SystemExit(run(batch, token, json))


@control_app.command()
def pause(batch: BatchHash, json: JsonFlag = False) -> None:
    """Hand out no further pictures of a batch; those in the making are finished."""
    with report_failures(json):
        from agents.doors.cli.batches.control import pause as run

        run(batch, json)


@control_app.command()
def resume(batch: BatchHash, json: JsonFlag = False) -> None:
    """Go on with a paused batch."""
    with report_failures(json):
        from agents.doors.cli.batches.control import resume as run

        run(batch, json)


@control_app.command()
def retry(batch: BatchHash, image: ImageId = None, json: JsonFlag = False) -> None:
    """Try the failed pictures of a batch again, or one of them."""
    with report_failures(json):
        from agents.doors.cli.batches.control import retry as run

        run(batch, image, json)


@control_app.command()
def cancel(
    batch: BatchHash,
    pending: Annotated[bool, typer.Option("--pending", help="Only what has not started.")] = False,
    image: ImageId = None,
    json: JsonFlag = False,
) -> None:
    """Stop a batch, what of it has not started, or one picture."""
    with report_failures(json):
        from agents.doors.cli.batches.control import cancel as run

        run(batch, pending, image, json)


@control_app.command()
def priority(batch: BatchHash, to: PriorityClass, json: JsonFlag = False) -> None:
    """Move a batch between the interactive and the batch class."""
    with report_failures(json):
        from agents.doors.cli.batches.control import priority as run

        run(batch, to, json)


@control_app.command()
def amend(
    batch: BatchHash,
    number: Annotated[int | None, typer.Option("-n", "--number", min=1, help="How many pictures in the end.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Below this score, 0 to 1, a picture is made again.")] = None,
    negative: Annotated[str | None, typer.Option(help="What the pictures should not show.")] = None,
    json: JsonFlag = False,
) -> None:
    """Change what of a batch has not started."""
    with report_failures(json):
        from agents.doors.cli.batches.control import amend as run

        run(batch, number, min_score, negative, json)


@control_app.command()
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
    json: JsonFlag = False,
) -> None:
    """Make finished pictures again, larger or better, with the same seeds and prompts."""
    with report_failures(json):
        from agents.doors.cli.batches.control import upgrade as run

        raise SystemExit(run(batch, size, quality, image or [], json))
