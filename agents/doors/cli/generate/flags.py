"""The flags of `bottega generate`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from agents.doors.cli import help_panels
from agents.doors.cli.errors import report_failures
from agents.doors.cli.shared_flags import ClientFlag, JsonFlag, StandInFlag, YesFlag
from agents.doors.cli.wording import GENERATE

generate_app = typer.Typer()


def _remember_order(context: typer.Context, flag: typer.CallbackParam, value: str | None) -> str | None:
    """Remember the flags of steps as they were typed: click calls back in that order."""
    if value is not None:
        context.meta.setdefault("steps", {})[flag.name] = value
    return value


@generate_app.command(rich_help_panel=help_panels.MAKE)
def generate(
    context: typer.Context,
    brief: Annotated[
        str | None, typer.Argument(metavar="BRIEF", help="What the pictures should show, in plain words.")
    ] = None,
    number: Annotated[
        int, typer.Option("-n", "--number", help="How many pictures.", rich_help_panel=help_panels.LIMITS)
    ] = 1,
    style: Annotated[
        str | None,
        typer.Option(
            help="A style of the workshop, such as plain or product_photography.", rich_help_panel=help_panels.CONTENT
        ),
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(help="The family of models, such as pocket or sdxl.", rich_help_panel=help_panels.DRAWING),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A model by its name; repeatable for adapters.", rich_help_panel=help_panels.DRAWING
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="WxH, an aspect such as 16:9, or 1K, 2K, 4K. Left out: native size.",
            rich_help_panel=help_panels.DRAWING,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of the first picture; the same seed makes the same picture.", rich_help_panel=help_panels.DRAWING
        ),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps.", rich_help_panel=help_panels.DRAWING)] = None,
    guidance: Annotated[
        float | None, typer.Option(help="How strictly the prompt is followed.", rich_help_panel=help_panels.DRAWING)
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="The sampler: bottega models samplers lists them.", rich_help_panel=help_panels.DRAWING),
    ] = None,
    lora: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:W", help="An adapter and its weight; repeatable.", rich_help_panel=help_panels.DRAWING
        ),
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Below this score, 0 to 1, a picture is made again.", rich_help_panel=help_panels.LIMITS),
    ] = None,
    consistency: Annotated[
        float | None,
        typer.Option(
            help="How alike the pictures should be, 0 to 1: mean similarity of the batch.",
            rich_help_panel=help_panels.LIMITS,
        ),
    ] = None,
    max_attempts: Annotated[
        int | None, typer.Option(help="Attempts at one picture before it failed.", rich_help_panel=help_panels.LIMITS)
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A finished prompt, taken as it is; repeatable: in turn.",
            rich_help_panel=help_panels.CONTENT,
        ),
    ] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="What to show; repeatable: in turn.", rich_help_panel=help_panels.CONTENT),
    ] = None,
    style_reference: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A style reference of the workshop: palette, mood, lens.",
            rich_help_panel=help_panels.CONTENT,
        ),
    ] = None,
    section: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Where they will be used: part of the file names.", rich_help_panel=help_panels.RESULTS
        ),
    ] = None,
    name_template: Annotated[
        str | None,
        typer.Option(
            metavar="TEMPLATE",
            help="Names of the files, such as {date}_{section}_{seed}.",
            rich_help_panel=help_panels.RESULTS,
        ),
    ] = None,
    negative: Annotated[
        str | None, typer.Option(help="What the pictures should not show.", rich_help_panel=help_panels.CONTENT)
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|ID",
            help="A picture to start from: a file, or one of this workshop.",
            rich_help_panel=help_panels.SOURCES,
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="How much of --image is made anew, above 0 to 1. Left out: 0.6.", rich_help_panel=help_panels.SOURCES
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="White where --image is made anew; the rest stays as it is.",
            rich_help_panel=help_panels.SOURCES,
        ),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            metavar="LEFT,TOP",
            help="Where --image lies in a larger --size that is painted; or middle.",
            rich_help_panel=help_panels.SOURCES,
        ),
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:FILE",
            help="Follow edges (canny), depth, pose …; KIND-map:FILE is a ready map; repeatable.",
            rich_help_panel=help_panels.SOURCES,
        ),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PROMPT@BOX",
            help="A part with a prompt of its own: left, top, width, height, 0 to 1; repeatable.",
            rich_help_panel=help_panels.DRAWING,
        ),
    ] = None,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ROLE:FILE[:W]",
            help="Follow a picture's style, character, subject or composition, by 0.6 or W; repeatable.",
            rich_help_panel=help_panels.SOURCES,
        ),
    ] = None,
    upscale: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:FACTOR]",
            callback=_remember_order,
            help="Then make them larger, by a network or lanczos. Steps after generation follow the order of flags.",
            rich_help_panel=help_panels.AFTERWARDS,
        ),
    ] = None,
    refine: Annotated[
        str | None,
        typer.Option(
            metavar="STRENGTH[:LORA:W]",
            callback=_remember_order,
            help="Then denoise them again, at the size they have.",
            rich_help_panel=help_panels.AFTERWARDS,
        ),
    ] = None,
    clean: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:STRENGTH]",
            callback=_remember_order,
            help="Then remove artefacts by a network.",
            rich_help_panel=help_panels.AFTERWARDS,
        ),
    ] = None,
    colours: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|ID",
            callback=_remember_order,
            help="Then take its colours; generated: as at first.",
            rich_help_panel=help_panels.AFTERWARDS,
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            help="Frames of a short sequence, 2 to 32; needs a motion adapter. Left out: a still.",
            rich_help_panel=help_panels.DRAWING,
        ),
    ] = None,
    fps: Annotated[
        int | None,
        typer.Option(help="Frames a second of a sequence. Left out: 8.", rich_help_panel=help_panels.DRAWING),
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD=V,V",
            help="Try values, such as steps=20,28 or lora:NAME=0.6,0.8; texts are parted by |; repeatable: a grid.",
            rich_help_panel=help_panels.LIMITS,
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="USD",
            help="The most that it may cost; a plan beyond it is refused.",
            rich_help_panel=help_panels.LIMITS,
        ),
    ] = None,
    unpriced: Annotated[
        Literal["refuse", "allow"] | None,
        typer.Option(
            help="With --budget, where no price is known: refuse, or allow it to run without one. Left out: refuse.",
            rich_help_panel=help_panels.LIMITS,
        ),
    ] = None,
    hold: Annotated[
        bool,
        typer.Option(
            "--hold", help="Show the plan, and make nothing before it is approved.", rich_help_panel=help_panels.LIMITS
        ),
    ] = False,
    yes: YesFlag = False,
    reuse: Annotated[
        bool,
        typer.Option(
            "--reuse/--no-reuse",
            help="Return pictures that are there already, or make them again.",
            rich_help_panel=help_panels.LIMITS,
        ),
    ] = True,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for copies of the pictures. Left out: only the home.", rich_help_panel=help_panels.RESULTS
        ),
    ] = None,
    stand_in: StandInFlag = None,
    client: ClientFlag = None,
    json: JsonFlag = False,
) -> None:
    """Make pictures from one sentence, with the running workshop or with one for the occasion."""
    with report_failures(json, GENERATE):
        from agents.doors.cli.confirm import confirm_number
        from agents.doors.cli.generate.order import GenerateOptions, command_of
        from agents.doors.cli.generate.post_flags import parse_post_steps
        from agents.doors.cli.generate.run import generate as run
        from agents.doors.cli.generate.source_images import (
            parse_control,
            parse_placement,
            parse_reference,
            parse_source,
        )
        from agents.doors.cli.generate.sweep_flags import count_asked, parse_sweep

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
                sampler=sampler,
                models=model or [],
                style_reference=style_reference,
                subjects=subject or [],
                prompts=prompt or [],
                section=section,
                name_template=name_template,
                budget=budget,
                unpriced=unpriced,
                consistency=consistency,
                max_attempts=max_attempts,
                hold=hold,
                sweep=parse_sweep(sweep or []),
            )
        )
        if not hold:
            confirm_number(count_asked(command), yes)
        raise SystemExit(run(command, out, stand_in, client, json))
