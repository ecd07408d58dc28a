"""The flags of `bottega models`."""

from pathlib import Path
from typing import Annotated

import typer

from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import JsonFlag

models_app = typer.Typer(
    help="Models, LoRAs and samplers: what is known, what is here, and how to get more.", invoke_without_command=True
)

ModelName = Annotated[str, typer.Argument(metavar="NAME", help="A model or LoRA, such as pocket.")]
NewName = Annotated[str | None, typer.Option("--name", help="What to call it. Left out: by the file or repository.")]
Platform = Annotated[
    str | None, typer.Option(help="The family it belongs to, such as sdxl. Left out: what the file itself tells.")
]


@models_app.callback()
def list_by_default(context: typer.Context, json: JsonFlag = False) -> None:
    """Models, LoRAs and samplers: what is known, what is here, and how to get more."""
    if context.invoked_subcommand is None:
        list_models(json)


@models_app.command("list")
def list_models(json: JsonFlag = False) -> None:
    """Every known model and LoRA, and how to get those that are not here."""
    with report_failures(json):
        from agents.doors.cli.models.show import list_models as run

        run(json)


@models_app.command()
def show(
    name: ModelName,
    verify: Annotated[bool, typer.Option("--verify", help="Read its files and compare their hashes.")] = False,
    json: JsonFlag = False,
) -> None:
    """All that is known of one model or LoRA."""
    with report_failures(json):
        from agents.doors.cli.models.show import show_model as run

        run(name, verify, json)


@models_app.command()
def path(name: ModelName, json: JsonFlag = False) -> None:
    """The folder of a model, or the file of a LoRA, on this machine."""
    with report_failures(json):
        from agents.doors.cli.models.show import show_path as run

        run(name, json)


@models_app.command()
def samplers(json: JsonFlag = False) -> None:
    """Samplers by the names people use, and what each of them is."""
    with report_failures(json):
        from agents.doors.cli.models.show import list_samplers as run

        run(json)


@models_app.command()
def pull(
    source: Annotated[str, typer.Argument(metavar="NAME", help="A known model, or a repository: owner/name[@commit].")],
    name: NewName = None,
    platform: Platform = None,
    json: JsonFlag = False,
) -> None:
    """Fetch a model from the hub; what is here already is not fetched again."""
    with report_failures(json):
        from agents.doors.cli.models.change import pull as run

        run(source, name, platform, json)


@models_app.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="PATH", help="A diffusers folder, or a .safetensors file.")],
    name: NewName = None,
    platform: Platform = None,
    json: JsonFlag = False,
) -> None:
    """Make a folder, a single-file checkpoint or a LoRA of yours known to the workshop."""
    with report_failures(json):
        from agents.doors.cli.models.change import add as run

        run(file, name, platform, json)


@models_app.command()
def calibrate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A scorer that was pulled, such as siglip2.")],
    pairs: Annotated[int, typer.Option(min=20, max=5000, help="Pictures to compare with two texts each.")] = 300,
    json: JsonFlag = False,
) -> None:
    """Make a pulled scorer usable: compare pictures that are drawn for it with a right and a wrong text each."""
    with report_failures(json):
        from agents.doors.cli.models.calibrate import calibrate as run

        run(name, pairs, json)


@models_app.command()
def remove(name: ModelName, json: JsonFlag = False) -> None:
    """Forget a model or LoRA and delete its files in the home folder; files elsewhere stay."""
    with report_failures(json):
        from agents.doors.cli.models.change import remove as run

        run(name, json)
