"""The commands of `bottega` and their  Each imports what it needs when it runs: `--help` is quick."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agents.doors.cli.batches.flags import control_app
from agents.doors.cli.errors import report_failures
from agents.doors.cli.models.flags import models_app
from agents.doors.cli.operator.cost_flags import costs_app
from agents.doors.cli.operator.flags import clients_app, dead_letters_app
from agents.doors.cli.records.flags import records_app
from agents.doors.cli.sessions.flags import batch_app
from agents.doors.cli.shared_flags import JsonFlag

app = typer.Typer(
    name="bottega",
    help="A workshop of AI agents that makes images to order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.add_typer(models_app, name="models")
app.add_typer(batch_app, name="batch")
app.add_typer(clients_app, name="clients")
app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(control_app)
app.add_typer(costs_app)
app.add_typer(records_app)

StandInFlag = Annotated[
    str | None,
    typer.Option("--stand-in", help="Let this model (pocket) stand in for platforms that are not installed."),
]
Role = Literal["planner", "prompt", "generator", "qa", "storage"]
CommandSource = Annotated[
    str, typer.Argument(metavar="FILE|-", help="A file with one JSON command; - reads standard input.")
]


def _remember_order(context: typer.Context, flag: typer.CallbackParam, value: str | None) -> str | None:
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
            callback=_remember_order,
            help="Then make them larger, by a network or lanczos. Steps after generation follow the order of ",
        ),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="STRENGTH[:LORA:W]",
            callback=_remember_order,
            help="Then denoise them again, at the size they have.",
        ),
    ] = None,
    clean: Annotated[
        str | None,
        typer.Option(metavar="NAME[:STRENGTH]", callback=_remember_order, help="Then remove artefacts by a network."),
    ] = None,
    colours: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|ID", callback=_remember_order, help="Then take its colours; generated: as at first."
        ),
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
    stand_in: StandInFlag = None,
    json: JsonFlag = False,
) -> None:
    """Make pictures from one sentence, with the running workshop or with one for the occasion."""
    with report_failures(json):
        from agents.doors.cli.generate.order import GenerateOptions, command_of
        from agents.doors.cli.generate.post_flags import parse_post_steps
        from agents.doors.cli.generate.run import generate as run
        from agents.doors.cli.generate.source_images import (
            parse_control,
            parse_placement,
            parse_reference,
            parse_source,
        )

        command = command_of(
            GenerateOptions(
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
                image=parse_source(image) if image else None,
                strength=strength,
                mask=parse_source(mask) if mask else None,
                placement=parse_placement(place) if place else None,
                controls=[parse_control(text) for text in control or []],
                regions=region or [],
                references=[parse_reference(text) for text in reference or []],
                post=parse_post_steps(context.meta.get("steps", {})),
                frames=frames,
                fps=fps,
                reuse=reuse,
            )
        )
        raise SystemExit(run(command, out, stand_in, json))


@app.command()
def up(
    stand_in: StandInFlag = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but the address line.")] = False,
) -> None:
    """Run a workshop until Ctrl-C: the bus and five agents, restarted when they die."""
    with report_failures():
        from agents.doors.cli.workshop.up import up as run

        run(stand_in, quiet)


@app.command()
def agent(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="planner, prompt, generator, qa or storage.")],
    lifeline: Annotated[bool, typer.Option("--lifeline", hidden=True)] = False,
) -> None:
    """Run one agent alone, against the running workshop or BOTTEGA_NATS_URL."""
    with report_failures():
        from agents.doors.cli.workshop.agent_process import run_agent

        run_agent(role, lifeline)


@app.command()
def send(source: CommandSource) -> None:
    """Send a JSON command and print the reply as it came."""
    with report_failures(json=True):
        from agents.doors.cli.batches.send import send as run

        raise SystemExit(run(source))


@app.command()
def plan(source: CommandSource, json: JsonFlag = False) -> None:
    """Show what a GENERATE_IMAGES command would do and cost, without doing it."""
    with report_failures(json):
        from agents.doors.cli.batches.send import plan as run

        raise SystemExit(run(source, json))


@app.command()
def status(
    batch: Annotated[str | None, typer.Argument(metavar="[HASH]", help="A batch; without it, the workshop.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show progress of HASH, or of the newest batch, until its end.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Where a batch stands, or which processes run."""
    with report_failures(json):
        from agents.doors.cli.batches.status import status as run

        raise SystemExit(run(batch, watch, json))


@app.command("list")
def list_batches(
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many batches, newest first.")] = 20,
    json: JsonFlag = False,
) -> None:
    """The batches of this home, newest first."""
    with report_failures(json):
        from agents.doors.cli.batches.status import list_batches as run

        run(count, json)


@app.command()
def result(
    batch: Annotated[str, typer.Argument(metavar="HASH", help="The batch, as generate, plan and list show it.")],
    first: Annotated[int, typer.Option(min=0, help="Index of the first picture.")] = 0,
    count: Annotated[int, typer.Option("-n", "--number", min=1, max=200, help="How many pictures.")] = 100,
    json: JsonFlag = False,
) -> None:
    """The pictures of a batch, made or not, a page at a time."""
    with report_failures(json):
        from agents.doors.cli.batches.status import result as run

        run(batch, first, count, json)


@app.command()
def url(json: JsonFlag = False) -> None:
    """The NATS URL with client credentials, for other clients of the running workshop."""
    with report_failures(json):
        from agents.doors.cli.workshop.connection import show_url as run

        run(json)


@app.command()
def rerun(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The PNG file of a picture.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the new picture to this file.")] = None,
    source: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A picture that it was made from, if it was removed.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Make a picture again from its own file: identical, same to tolerance, or drifted and why."""
    with report_failures(json):
        from agents.doors.cli.rerun.run import rerun as run

        raise SystemExit(run(image, out, source or [], json))


@app.command()
def doctor(json: JsonFlag = False) -> None:
    """Check that everything is here that a workshop needs, and say what to do if not."""
    with report_failures(json):
        from agents.doors.cli.workshop.doctor import doctor as run

        raise SystemExit(run(json))
