"""The flags of `bottega models`."""

from pathlib import Path
from typing import Annotated

import typer

from agents.doors.cli.errors import reported
from agents.doors.cli.shared_flags import Json

models = typer.Typer(
    help="Models, LoRAs and samplers: what is known, what is here, and how to get more.", invoke_without_command=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A model or LoRA, such as pocket.")]
NewName = Annotated[str | None, typer.Option("--name", help="What to call it. Left out: by the file or repository.")]
Platform = Annotated[
    str | None, typer.Option(help="The family it belongs to, such as sdxl. Left out: what the file itself tells.")
]


@models.callback()
def list_by_default(context: typer.Context, json: Json = False) -> None:
    """Models, LoRAs and samplers: what is known, what is here, and how to get more."""
    if context.invoked_subcommand is None:
        list_models(json)


@models.command("list")
def list_models(json: Json = False) -> None:
    """Every known model and LoRA, and how to get those that are not here."""
    with reported(json):
        from agents.doors.cli.models.show import list_models as run

        run(json)


@models.command()
def show(
    name: Name,
    verify: Annotated[bool, typer.Option("--verify", help="Read its files and compare their hashes.")] = False,
    json: Json = False,
) -> None:
    """All that is known of one model or LoRA."""
    with reported(json):
        from agents.doors.cli.models.show import show as run

        run(name, verify, json)


@models.command()
def path(name: Name, json: Json = False) -> None:
    """The folder of a model, or the file of a LoRA, on this machine."""
    with reported(json):
        from agents.doors.cli.models.show import path as run

        run(name, json)


@models.command()
def samplers(json: Json = False) -> None:
    """Samplers by the names people use, and what each of them is."""
    with reported(json):
        from agents.doors.cli.models.show import list_samplers as run

        run(json)


@models.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="NAME", help="A known model, or a repository: owner/name[@commit].")],
    name: NewName = None,
    platform: Platform = None,
    json: Json = False,
) -> None:
    """Fetch a model from the hub; what is here already is not fetched again."""
    with reported(json):
        from agents.doors.cli.models.change import pull as run

        run(source, name, platform, json)


@models.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="PATH", help="A diffusers folder, or a .safetensors file.")],
    name: NewName = None,
    platform: Platform = None,
    json: Json = False,
) -> None:
    """Make a folder, a single-file checkpoint or a LoRA of yours known to the workshop."""
    with reported(json):
        from agents.doors.cli.models.change import add as run

        run(file, name, platform, json)


@models.command()
def remove(name: Name, json: Json = False) -> None:
    """Forget a model or LoRA and delete its files in the home folder; files elsewhere stay."""
    with reported(json):
        from agents.doors.cli.models.change import remove as run

        run(name, json)
