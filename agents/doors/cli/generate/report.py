"""The end of a batch: the object that `--json` prints, and what a person reads."""

from pathlib import Path

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace
from rich.console import Console

from agents.doors.cli.amounts import describe_reused, format_money
from agents.doors.cli.batches.follow import FinishedBatch
from agents.doors.cli.copies import copy_to_folder, pictures_kept, report_unwritable
from agents.doors.cli.terminal.display import format_counts
from agents.doors.cli.terminal.image_table import print_line, show_images
from agents.doors.cli.terminal.phases import Phases, format_phases
from protocol.results import Image, StatusBody


class MadeImage(Struct, frozen=True, kw_only=True):
    """One stored picture. `path` is a file on this machine; `score` is 0 to 1, or null if QA did not judge; `reused` is
    the id of the stored picture that was returned instead of making one; `not_judged` are the words that the score says
    nothing of, there only where there are any."""

    path: str | None
    seed: int | None
    prompt: str | None
    score: float | None
    width: int | None
    height: int | None
    attempts: int
    reused: str | None = None
    not_judged: list[str] | UnsetType = UNSET


class GenerateResult(Struct, frozen=True, kw_only=True):
    """What `bottega generate --json` prints. `images` are the stored ones, in the order of the plan."""

    hash: str
    images: list[MadeImage]
    generation_status: StatusBody
    contact_sheet: str | None
    phases: Phases = Phases()


def copy_files(followed: FinishedBatch, out: Path | None) -> FinishedBatch:
    """The same batch with its files copied to the folder `out`, which exists, and named from there.

    Raises:
        Failure: the folder has no room, or cannot be written.
    """
    if out is None:
        return followed
    kept = pictures_kept(followed.hash, (image.path for image in followed.images))
    with report_unwritable(out, kept=kept, again=f"take them from where they are: bottega result {followed.hash}"):
        return replace(
            followed,
            images=[replace(image, path=copy_to_folder(image.path, out)) for image in followed.images],
            contact_sheet=copy_to_folder(followed.contact_sheet, out),
        )


def result_of(followed: FinishedBatch, phases: Phases) -> GenerateResult:
    """The batch as `--json` shows it."""
    return GenerateResult(
        hash=followed.hash,
        images=[_made_image(image) for image in followed.images if image.status == "completed"],
        generation_status=followed.status,
        contact_sheet=followed.contact_sheet,
        phases=phases,
    )


def show_batch(console: Console, followed: FinishedBatch, phases: Phases) -> None:
    """A line per picture, then the totals of the batch."""
    show_images(console, followed.images)
    if followed.contact_sheet:
        print_line(console, f"contact sheet  {followed.contact_sheet}")
        print_line(console, f"page           bottega open {followed.hash}")
    if told := format_reused(followed.status):
        print_line(console, told)
    facts = [format_counts(followed.status), f"in {format_phases(phases)}"]
    if followed.status.quality_metrics.avg_score is not None:
        facts.append(f"mean score {followed.status.quality_metrics.avg_score:.2f}")
    if (cost := followed.status.cost_per_image) is not None:
        facts.append(format_money(cost * followed.status.completed))
    print_line(console, " · ".join([followed.hash, *facts]), "bold")


def format_reused(status: StatusBody) -> str:
    """How many pictures were stored already, in words; empty if all were made."""
    if not isinstance(status.reused, int):
        return ""
    return describe_reused(status.reused, status.completed)


def _made_image(image: Image) -> MadeImage:
    return MadeImage(
        path=image.path,
        seed=image.metadata.seed if image.metadata else None,
        prompt=image.metadata.prompt_used if image.metadata else None,
        score=image.quality_score,
        width=image.dimensions.width if image.dimensions else None,
        height=image.dimensions.height if image.dimensions else None,
        attempts=image.attempts,
        reused=image.reused,
        not_judged=image.not_judged,
    )
