"""`bottega batch start --dry-run`: the jobs of a session, its time and its cost, by a plan that is held and dropped."""

import asyncio
import sys
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from agents.doors.cli.amounts import format_money
from agents.doors.cli.batches.follow import fetch_page
from agents.doors.cli.errors import ALL_STORED
from agents.doors.cli.sessions.order import SessionOptions, command_of
from agents.doors.cli.settings import load_settings
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.plan_view import format_duration, refusal_of
from agents.doors.cli.wording import SESSION, with_flags
from agents.doors.cli.workshop.connection import ask, connect_or_start
from agents.shared.settings import Settings
from protocol.codec import encode
from protocol.commands import Cancel, GenerateImages
from protocol.counts import format_count
from protocol.plans import Cost, GenerationPlan
from protocol.results import GenerationStatus, Image

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


def dry_run(wanted: SessionOptions, stand_in: str | None, json: bool) -> int:
    """Show what a session would do; returns the exit code."""
    settings = load_settings(stand_in=stand_in)
    display = display_for(Console(stderr=True), silent=json)
    shown = asyncio.run(_plan_dry_run(command_of(wanted), settings, display))
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return ALL_STORED
    for note in (*shown.warnings, *(f"not honoured: {wish}" for wish in shown.not_honoured)):
        display.print_line(f"note: {with_flags(note, SESSION)}")
    console = Console()
    for job in shown.jobs:
        combo = f" + {job.combo}" if job.combo else ""
        line = f"[{job.id}] {job.prompt_file.removesuffix('.md')}{combo} → {job.folder}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    time = format_duration(shown.estimated_seconds) if shown.estimated_seconds else "not measured yet"
    cost = format_money(shown.estimated_cost.amount) if shown.estimated_cost else "not priced"
    jobs = format_count(len(shown.jobs), "job")
    console.print(f"{jobs} · time: {time} · cost: {cost}", highlight=False, soft_wrap=True)
    return ALL_STORED


async def _plan_dry_run(command: GenerateImages, settings: Settings, display: Display) -> DryRun:
    async with connect_or_start(settings, display) as client:
        plan = await ask(client, replace(command, hold=True), GenerationPlan, PATIENCE_S)
        if refusal := refusal_of(plan.generation_plan):
            raise refusal
        assert plan.hash is not None, "a held plan has a hash"
        try:
            images: list[Image] = []
            following: int | None = 0
            while following is not None:
                result = (await fetch_page(client, plan.hash, first=following)).generation_result
                images += result.images
                following = result.next
        finally:
            await ask(client, Cancel(hash=plan.hash), GenerationStatus, PATIENCE_S)
    body = plan.generation_plan
    return DryRun(
        jobs=[_dry_job(image) for image in images],
        estimated_seconds=body.estimated_seconds,
        estimated_cost=body.estimated_cost,
        warnings=body.warnings,
        not_honoured=body.not_honoured,
    )


def _dry_job(image: Image) -> DryJob:
    place = image.catalogued
    assert place is not None, "a session runs through a catalogue"
    parts = (place.wardrobe, place.catalogue, place.prompt_id, place.ui_style, place.combo)
    return DryJob(
        id=f"{image.index + 1:03d}",
        prompt_file=f"{place.prompt_id}.md",
        combo=place.combo,
        folder=str(PurePosixPath(*(part for part in parts if part))),
    )
