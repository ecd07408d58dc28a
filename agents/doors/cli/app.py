"""The commands of `bottega` and their  Each imports what it needs when it runs: `--help` is quick."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agents.doors.cli.batches.flags import steering
from agents.doors.cli.errors import reported
from agents.doors.cli.models.flags import models
from agents.doors.cli.operator.cost_flags import costing
from agents.doors.cli.operator.flags import clients, letters
from agents.doors.cli.records.flags import care
from agents.doors.cli.sessions.flags import batch
from agents.doors.cli.shared_flags import Json

app = typer.Typer(
    name="bottega",
    help="A workshop of AI agents that makes images to order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(models, name="models")
app.add_typer(batch, name="batch")
app.add_typer(clients, name="clients")
app.add_typer(letters, name="dead-letters")
app.add_typer(steering)
app.add_typer(costing)
app.add_typer(care)

StandIn = Annotated[
    str | None,
    typer.Option("--stand-in", help="Let this model (pocket) stand in for platforms that are not installed."),
]
Role = Literal["planner", "prompt", "generator", "qa", "storage"]
Source = Annotated[str, typer.Argument(metavar="FILE|-", help="A file with one JSON command; - reads standard input.")]


def _in_order(context: typer.Context, flag: typer.CallbackParam, value: str | None) -> str | None:
    """Remember the flags of steps as they were typed: click calls back in that order."""
    if value is not None:
        context.meta.setdefault("steps", {})[flag.name] = value
    return value


def main() -> None:
    """Entry point of the `bottega` command."""
    app()


@app.command()
def generate(
    context: typer.Context,
    brief: Annotated[str, typer.Argument(metavar="BRIEF", help="What the pictures should show, in plain words.")],
    number: Annotated[int, typer.Option("-n", "--number", help="How many pictures.")] = 1,
    style: Annotated[
        str | None, typer.Option(help="A style of the workshop, such as plain or product_photography.")
    ] = None,
    platform: Annotated[str | None, typer.Option(help="The family of models, such as pocket or sdxl.")] = None,
    size: Annotated[
        str | None, typer.Option(help="WxH, an aspect such as 16:9, or 1K, 2K, 4K. Left out: native size.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the first picture; the same seed makes the same picture.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.")] = None,
    guidance: Annotated[float | None, typer.Option(help="How strictly the prompt is followed.")] = None,
    lora: Annotated[
        list[str] | None, typer.Option(metavar="NAME:W", help="An adapter and its weight; repeatable.")
    ] = None,
    min_score: Annotated[float | None, typer.Option(help="Below this score, 0 to 1, a picture is made again.")] = None,
    negative: Annotated[str | None, typer.Option(help="What the pictures should not show.")] = None,
    image: Annotated[
        str | None, typer.Option(metavar="FILE|ID", help="A picture to start from: a file, or one of this workshop.")
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="How much of --image is made anew, above 0 to 1. Left out: 0.6.")
    ] = None,
    mask: Annotated[
        str | None, typer.Option(metavar="FILE", help="White where --image is made anew; the rest stays as it is.")
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(metavar="LEFT,TOP", help="Where --image lies in a larger --size that is painted; or middle."),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:FILE", help="Follow edges (canny), depth, pose …; KIND-map:FILE is a ready map; repeatable."
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROMPT@BOX", help="A part with a prompt of its own: left, top, width, height, 0 to 1; repeatable."
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE:FILE[:W]",
            help="Follow a picture's style, character, subject or composition, by 0.6 or W; repeatable.",
        ),
    ] = None,
    upscale: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:FACTOR]",
            callback=_in_order,
            help="Then make them larger, by a network or lanczos. Steps after generation follow the order of ",
        ),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="STRENGTH[:LORA:W]", callback=_in_order, help="Then denoise them again, at the size they have."
        ),
    ] = None,
    clean: Annotated[
        str | None,
        typer.Option(metavar="NAME[:STRENGTH]", callback=_in_order, help="Then remove artefacts by a network."),
    ] = None,
    colours: Annotated[
        str | None,
        typer.Option(metavar="FILE|ID", callback=_in_order, help="Then take its colours; generated: as at first."),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(help="Frames of a short sequence, 2 to 32; needs a motion adapter. Left out: a still.")
    ] = None,
    fps: Annotated[int | None, typer.Option(help="Frames a second of a sequence. Left out: 8.")] = None,
    reuse: Annotated[
        bool,
        typer.Option("--reuse/--no-reuse", help="Return pictures that are there already, or make them again."),
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for copies of the pictures. Left out: only the home.")
    ] = None,
    stand_in: StandIn = None,
    json: Json = False,
) -> None:
    """Make pictures from one sentence, with the running workshop or with one for the occasion."""
    with reported(json):
        from agents.doors.cli.generate.order import Options, command_of
        from agents.doors.cli.generate.post_flags import steps_of
        from agents.doors.cli.generate.run import generate as run
        from agents.doors.cli.generate.source_images import control_of, placement_of, reference_of, source_of

        command = command_of(
            Options(
                brief=brief,
                number=number,
                style=style,
                platform=platform,
                size=size,
                seed=seed,
                steps=steps,
                guidance=guidance,
                loras=lora or [],
                min_score=min_score,
                negative=negative,
                image=source_of(image) if image else None,
                strength=strength,
                mask=source_of(mask) if mask else None,
                placement=placement_of(place) if place else None,
                controls=[control_of(text) for text in control or []],
                regions=region or [],
                references=[reference_of(text) for text in reference or []],
                post=steps_of(context.meta.get("steps", {})),
                frames=frames,
                fps=fps,
                reuse=reuse,
            )
        )
        raise SystemExit(run(command, out, stand_in, json))


@app.command()
def up(
    stand_in: StandIn = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the address line.")] = False,
) -> None:
    """Run a workshop until Ctrl-C: the bus and five agents, restarted when they die."""
    with reported():
        from agents.doors.cli.workshop.up import up as run

        run(stand_in, quiet)


@app.command()
def agent(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="planner, prompt, generator, qa or storage.")],
    lifeline: Annotated[bool, typer.Option("--lifeline", hidden=True)] = False,
) -> None:
    """Run one agent alone, against the running workshop or BOTTEGA_NATS_URL."""
    with reported():
        from agents.doors.cli.workshop.agent_process import run

        run(role, lifeline)


@app.command()
def send(source: Source) -> None:
    """Send a JSON command and print the reply as it came."""
    with reported(json=True):
        from agents.doors.cli.batches.send import send as run

        raise SystemExit(run(source))


@app.command()
def plan(source: Source, json: Json = False) -> None:
    """Show what a GENERATE_IMAGES command would do and cost, without doing it."""
    with reported(json):
        from agents.doors.cli.batches.send import plan as run

        raise SystemExit(run(source, json))


@app.command()
def status(
    batch: Annotated[str | None, typer.Argument(metavar="[HASH]", help="A batch; without it, the workshop.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show progress of HASH, or of the newest batch, until its end.")
    ] = False,
    json: Json = False,
) -> None:
    """Where a batch stands, or which processes run."""
    with reported(json):
        from agents.doors.cli.batches.status import status as run

        raise SystemExit(run(batch, watch, json))


@app.command("list")
def list_batches(
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many batches, newest first.")] = 20,
    json: Json = False,
) -> None:
    """The batches of this home, newest first."""
    with reported(json):
        from agents.doors.cli.batches.status import list_batches as run

        run(count, json)


@app.command()
def result(
    batch: Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")],
    first: Annotated[int, typer.Option(min=0, help="Index of the first picture.")] = 0,
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many pictures.")] = 100,
    json: Json = False,
) -> None:
    """The pictures of a batch, made or not, a page at a time."""
    with reported(json):
        from agents.doors.cli.batches.status import result as run

        run(batch, first, count, json)


@app.command()
def url(json: Json = False) -> None:
    """The NATS URL with client credentials, for other clients of the running workshop."""
    with reported(json):
        from agents.doors.cli.workshop.connection import show_url as run

        run(json)


@app.command()
def rerun(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The PNG file of a picture.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the new picture to this file.")] = None,
    source: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture that it was made from, if it was removed.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a picture again from its own file: identical, same to tolerance, or drifted and why."""
    with reported(json):
        from agents.doors.cli.rerun.run import rerun as run

        raise SystemExit(run(image, out, source or [], json))


@app.command()
def doctor(json: Json = False) -> None:
    """Check that everything is here that a workshop needs, and say what to do if not."""
    with reported(json):
        from agents.doors.cli.workshop.doctor import doctor as run

        raise SystemExit(run(json))
