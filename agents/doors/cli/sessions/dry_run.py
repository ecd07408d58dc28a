"""`bottega batch start --dry-run`: the jobs of a session, its time and its cost, by a plan that is held and dropped."""

import asyncio
import sys
from pathlib import PurePosixPath

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from agents.doors.cli.batches.follow import page
from agents.doors.cli.errors import ALL_STORED
from agents.doors.cli.sessions.order import Wanted, command_of
from agents.doors.cli.settings import configured
from agents.doors.cli.terminal.display import Display, display_for
from agents.doors.cli.terminal.plan_view import duration, refusal_of
from agents.doors.cli.workshop.connection import asked, own_or_running
from agents.shared.settings import Settings
from protocol.codec import encode
from protocol.commands import Cancel, GenerateImages
from protocol.replies import Cost, GenerationPlan, GenerationStatus, Image

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


def dry_run(wanted: Wanted, stand_in: str | None, json: bool) -> int:
    """Show what a session would do; returns the exit code."""
    settings = configured(stand_in=stand_in)
    display = display_for(Console(stderr=True), silent=json)
    shown = asyncio.run(_dry_run(command_of(wanted), settings, display))
    if json:
        sys.stdout.write(encode(shown).decode() + "\n")
        return ALL_STORED
    for note in (*shown.warnings, *(f"not honoured: {wish}" for wish in shown.not_honoured)):
        display.say(f"note: {note}")
    console = Console()
    for job in shown.jobs:
        combo = f" + {job.combo}" if job.combo else ""
        line = f"[{job.id}] {job.prompt_file.removesuffix('.md')}{combo} → {job.folder}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    time = duration(shown.estimated_seconds) if shown.estimated_seconds else "not measured yet"
    cost = (
        f"{shown.estimated_cost.amount:.4f} {shown.estimated_cost.currency}" if shown.estimated_cost else "not priced"
    )
    console.print(f"{len(shown.jobs)} jobs · time: {time} · cost: {cost}", highlight=False, soft_wrap=True)
    return ALL_STORED


async def _dry_run(command: GenerateImages, settings: Settings, display: Display) -> DryRun:
    async with own_or_running(settings, display) as client:
        plan = await asked(client, replace(command, hold=True), GenerationPlan, PATIENCE_S)
        if refusal := refusal_of(plan.generation_plan):
            raise refusal
        assert plan.hash is not None, "a held plan has a hash"
        try:
            images: list[Image] = []
            following: int | None = 0
            while following is not None:
                result = (await page(client, plan.hash, first=following)).generation_result
                images += result.images
                following = result.next
        finally:
            await asked(client, Cancel(hash=plan.hash), GenerationStatus, PATIENCE_S)
    body = plan.generation_plan
    return DryRun(
        jobs=[_job(image) for image in images],
        estimated_seconds=body.estimated_seconds,
        estimated_cost=body.estimated_cost,
        warnings=body.warnings,
        not_honoured=body.not_honoured,
    )


def _job(image: Image) -> DryJob:
    place = image.catalogued
    assert place is not None, "a session runs through a catalogue"
    parts = (place.wardrobe, place.catalogue, place.prompt_id, place.ui_style, place.combo)
    return DryJob(
        id=f"{image.index + 1:03d}",
        prompt_file=f"{place.prompt_id}.md",
        combo=place.combo,
        folder=str(PurePosixPath(*(part for part in parts if part))),
    )
