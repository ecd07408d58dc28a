"""The end of a batch: the object that `--json` prints, and what a person reads."""

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from agents.doors.cli.batches.follow import FinishedBatch
from agents.doors.cli.copies import copy_to_folder
from agents.doors.cli.terminal.display import format_counts
from agents.doors.cli.terminal.plan_view import format_duration
from protocol.results import Image, StatusBody

HEADER = ("", "seed", "score", "attempts", "time", "picture")


class MadeImage(Struct, frozen=True, kw_only=True):
    """One stored picture. `path` is a file on this machine; `score` is 0 to 1, or null if QA did not judge; `reused` is
    the id of the stored picture that was returned instead of making one."""

    path: str | None
    seed: int | None
    prompt: str | None
    score: float | None
    width: int | None
    height: int | None
    attempts: int
    reused: str | None = None


class GenerateResult(Struct, frozen=True, kw_only=True):
    """What `bottega generate --json` prints. `images` are the stored ones, in the order of the plan."""

    hash: str
    images: list[MadeImage]
    generation_status: StatusBody
    contact_sheet: str | None


def copy_files(followed: FinishedBatch, out: Path | None) -> FinishedBatch:
    """The same batch with its files copied to the folder `out`, which exists, and named from there."""
    if out is None:
        return followed
    return replace(
        followed,
        images=[replace(image, path=copy_to_folder(image.path, out)) for image in followed.images],
        contact_sheet=copy_to_folder(followed.contact_sheet, out),
    )


def result_of(followed: FinishedBatch) -> GenerateResult:
    """The batch as `--json` shows it."""
    return GenerateResult(
        hash=followed.hash,
        images=[_made_image(image) for image in followed.images if image.status == "completed"],
        generation_status=followed.status,
        contact_sheet=followed.contact_sheet,
    )


def show_batch(console: Console, followed: FinishedBatch) -> None:
    """A line per picture, then the totals of the batch."""
    show_images(console, followed.images)
    if followed.contact_sheet:
        _print(console, f"contact sheet  {followed.contact_sheet}")
    if told := format_reused(followed.status):
        _print(console, told)
    facts = [format_counts(followed.status), f"in {format_duration(followed.seconds)}"]
    if followed.status.quality_metrics.avg_score is not None:
        facts.append(f"mean score {followed.status.quality_metrics.avg_score:.2f}")
    if (cost := followed.status.cost_per_image) is not None:
        facts.append(f"{cost * followed.status.completed:.4f} USD")
    _print(console, " · ".join([followed.hash, *facts]), "bold")


def format_reused(status: StatusBody) -> str:
    """How many pictures were stored already, in words; empty if all were made."""
    if not isinstance(status.reused, int):
        return ""
    return f"{status.reused} of {status.completed} pictures were there already (reused, no cost)"


def show_images(console: Console, images: list[Image]) -> None:
    """A line per picture. On a terminal pictures of one folder are shown by their names, elsewhere by whole paths."""
    folders = {str(Path(image.path).parent) for image in images if image.path}
    folder = folders.pop() if console.is_terminal and len(folders) == 1 else None
    rows = [HEADER, *(_cells(image, short=folder is not None) for image in images)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER) - 1)]
    for number, row in enumerate(rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
        lost = number > 0 and images[number - 1].status in ("failed", "cancelled")
        _print(console, "  ".join([*cells, row[-1]]), "dim" if number == 0 else "red" if lost else "")
    if folder:
        _print(console, f"\npictures in    {folder}")


def _print(console: Console, line: str, style: str = "") -> None:
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def _cells(image: Image, short: bool) -> tuple[str, ...]:
    seconds = image.metadata.processing_time_s if image.metadata else None
    what = Path(image.path).name if image.path and short else image.path or ""
    if image.status != "completed":
        what = " ".join(filter(None, (image.status, image.error.message if image.error else "", what)))
    return (
        str(image.index),
        str(image.metadata.seed) if image.metadata else "",
        "" if image.quality_score is None else f"{image.quality_score:.2f}",
        str(image.attempts),
        "reused" if image.reused else "" if seconds is None else f"{seconds:.1f} s",
        what,
    )


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
    )
