"""The pictures of a batch as a table, a line each."""

from pathlib import Path

from rich.console import Console

from protocol.results import Image

MAX_INDICES = 8
"""Pictures that are named one by one."""

NOTHING = "whether the pictures show their prompts"

HEADER = ("", "seed", "score", "attempts", "time", "picture")


def show_images(console: Console, images: list[Image]) -> None:
    """A line per picture. On a terminal pictures of one folder are shown by their names, elsewhere by whole paths."""
    folders = {str(Path(image.path).parent) for image in images if image.path}
    folder = folders.pop() if console.is_terminal and len(folders) == 1 else None
    rows = [HEADER, *(_cells(image, short=folder is not None) for image in images)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER) - 1)]
    for number, row in enumerate(rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
        lost = number > 0 and images[number - 1].status in ("failed", "cancelled")
        print_line(console, "  ".join([*cells, row[-1]]), "dim" if number == 0 else "red" if lost else "")
    for line in unjudged_lines(images):
        print_line(console, line)
    if folder:
        print_line(console, f"\npictures in    {folder}")


def unjudged_lines(images: list[Image]) -> list[str]:
    """Which words no score speaks of, and of which pictures where it is not all of them."""
    by_words: dict[str, list[int]] = {}
    for image in images:
        if isinstance(image.not_judged, list):
            by_words.setdefault(", ".join(image.not_judged), []).append(image.index)
    unscored = [one.index for one in images if one.status == "completed" and one.quality_score is None]
    if unscored and not by_words:
        by_words[NOTHING] = unscored
    return [
        f"not judged     {words}" + ("" if len(indices) == len(images) else f"  ({_format_indices(indices)})")
        for words, indices in by_words.items()
    ]


def _format_indices(indices: list[int]) -> str:
    """`#0, #3 and 12 more`."""
    shown, more = indices[:MAX_INDICES], len(indices) - MAX_INDICES
    return ", ".join(f"#{index}" for index in shown) + (f" and {more} more" if more > 0 else "")


def print_line(console: Console, line: str, style: str = "") -> None:
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
