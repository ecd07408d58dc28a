"""The flags of the commands that change how a batch goes on."""

from typing import Annotated, Literal

import typer

from agents.doors.cli.errors import reported
from agents.doors.cli.shared_flags import Json
from protocol.parameters import ServiceClass

steering = typer.Typer()

Hash = Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")]
Image = Annotated[str | None, typer.Option("--image", metavar="ID", help="One picture, by its id or its index.")]
Class = Annotated[ServiceClass, typer.Argument(metavar="CLASS", help="interactive, which goes first, or batch.")]


@steering.command()
def approve(
    batch: Hash,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="The approval of the held plan.")],
    json: Json = False,
) -> None:
    """Start a plan that was held."""
    with reported(json):
        from agents.doors.cli.batches.send import approve as run

        raise SystemExit(run(batch, token, json))


@steering.command()
def pause(batch: Hash, json: Json = False) -> None:
    """Hand out no further pictures of a batch; those in the making are finished."""
    with reported(json):
        from agents.doors.cli.batches.control import pause as run

        run(batch, json)


@steering.command()
def resume(batch: Hash, json: Json = False) -> None:
    """Go on with a paused batch."""
    with reported(json):
        from agents.doors.cli.batches.control import resume as run

        run(batch, json)


@steering.command()
def retry(batch: Hash, image: Image = None, json: Json = False) -> None:
    """Try the failed pictures of a batch again, or one of them."""
    with reported(json):
        from agents.doors.cli.batches.control import retry as run

        run(batch, image, json)


@steering.command()
def cancel(
    batch: Hash,
    pending: Annotated[bool, typer.Option("--pending", help="Only what has not started.")] = False,
    image: Image = None,
    json: Json = False,
) -> None:
    """Stop a batch, what of it has not started, or one picture."""
    with reported(json):
        from agents.doors.cli.batches.control import cancel as run

        run(batch, pending, image, json)


@steering.command()
def priority(batch: Hash, to: Class, json: Json = False) -> None:
    """Move a batch between the interactive and the batch class."""
    with reported(json):
        from agents.doors.cli.batches.control import priority as run

        run(batch, to, json)


@steering.command()
def amend(
    batch: Hash,
    number: Annotated[int | None, typer.Option("-n", "--number", min=1, help="How many pictures in the end.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Below this score, 0 to 1, a picture is made again.")] = None,
    negative: Annotated[str | None, typer.Option(help="What the pictures should not show.")] = None,
    json: Json = False,
) -> None:
    """Change what of a batch has not started."""
    with reported(json):
        from agents.doors.cli.batches.control import amend as run

        run(batch, number, min_score, negative, json)


@steering.command()
def upgrade(
    batch: Hash,
    size: Annotated[str | None, typer.Option(help="WxH, an aspect such as 16:9, or 1K, 2K, 4K.")] = None,
    quality: Annotated[
        Literal["low", "medium", "standard", "high", "hd", "auto"] | None,
        typer.Option(help="hd takes twice the steps."),
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", metavar="ID", help="One picture, by its id or its index; repeatable. Left out: all."),
    ] = None,
    json: Json = False,
) -> None:
    """Make finished pictures again, larger or better, with the same seeds and prompts."""
    with reported(json):
        from agents.doors.cli.batches.control import upgrade as run

        raise SystemExit(run(batch, size, quality, image or [], json))
