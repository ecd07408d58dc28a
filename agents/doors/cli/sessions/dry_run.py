"""`bottega batch start --dry-run`: the jobs of a session, its time and its cost, by a plan that nobody keeps."""

import asyncio
import sys
from pathlib import PurePosixPath

from msgspec import UNSET, Struct
from msgspec.structs import replace

from agents.doors.cli.errors import ALL_STORED
from agents.doors.cli.sessions.order import SessionOptions, command_of
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.plan_view import format_cost, format_duration, refusal_of
from agents.doors.cli.wording import SESSION, with_flags
from agents.doors.cli.workshop.connection import ask, connect_or_start
from agents.shared.settings import Settings
from protocol.codec import encode
from protocol.commands import GenerateImages
from protocol.counts import format_count
from protocol.plans import Cost, GenerationPlan, PlanBody, PlannedImage

PATIENCE_S = 30.0


class DryJob(Struct, frozen=True, kw_only=True):
    """A job that would be done. `folder` is below the output folder, by the default template."""

    id: str
    prompt_file: str
    combo: str | None
    folder: str


class DryRun(Struct, frozen=True, kw_only=True):
    """What `bottega batch start --dry-run --json` prints. Figures are null where nothing was measured or priced."""

    jobs: list[DryJob]
    estimated_seconds: float | None
    estimated_cost: Cost | None
    warnings: list[str]
    not_honoured: list[str]


def dry_run(wanted: SessionOptions, stand_in: str | None, client: str | None, json: bool) -> int:
    """Show what a session would do; returns the exit code."""
    settings = load_settings(stand_in=stand_in, client=client)
    display = display_for(open_console(stderr=True), silent=json)
    plan, images = asyncio.run(_plan_dry_run(command_of(wanted), settings, display))
    shown = DryRun(
        jobs=[_dry_job(image) for image in images],
        estimated_seconds=plan.estimated_seconds,
        estimated_cost=plan.estimated_cost,
        warnings=plan.warnings,
        not_honoured=plan.not_honoured,
    )
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return ALL_STORED
    for note in (*shown.warnings, *(f"not honoured: {wish}" for wish in shown.not_honoured)):
        display.print_line(f"note: {with_flags(note, SESSION)}")
    console = open_console()
    for job in shown.jobs:
        combo = f" + {job.combo}" if job.combo else ""
        line = f"[{job.id}] {job.prompt_file.removesuffix('.md')}{combo} → {job.folder}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    time = format_duration(shown.estimated_seconds) if shown.estimated_seconds else "not measured yet"
    jobs = format_count(len(shown.jobs), "job")
    console.print(f"{jobs} · time: {time} · cost: {format_cost(plan)}", highlight=False, soft_wrap=True)
    return ALL_STORED


async def _plan_dry_run(
    command: GenerateImages, settings: Settings, display: Display
) -> tuple[PlanBody, list[PlannedImage]]:
    """The plan, and all the pictures that it lists, page by page."""
    async with connect_or_start(settings, display) as client:
        images: list[PlannedImage] = []
        while True:
            asked = replace(command, dry_run=True, dry_run_first=len(images))
            plan = (await ask(client, asked, GenerationPlan, PATIENCE_S)).generation_plan
            if refusal := refusal_of(plan):
                raise refusal
            images += plan.images or []
            if plan.next is UNSET:
                return plan, images


def _dry_job(image: PlannedImage) -> DryJob:
    place = image.catalogued
    assert place is not None, "a session runs through a catalogue"
    parts = (place.wardrobe, place.catalogue, place.prompt_id, place.ui_style, place.combo)
    return DryJob(
        id=f"{image.index + 1:03d}",
        prompt_file=f"{place.prompt_id}.md",
        combo=place.combo,
        folder=str(PurePosixPath(*(part for part in parts if part))),
    )
