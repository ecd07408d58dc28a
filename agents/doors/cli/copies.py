"""Copies of finished files in a person's folder: whole or not at all, and never over a file of theirs."""

import filecmp
import os
import shutil
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from agents.doors.cli.errors import bad_input
from agents.doors.cli.file_modes import give_to_person
from bus.durable_files import partial_file
from bus.durable_folders import make_folder
from protocol.errors import is_disk_full


def copy_to_folder(path: str | None, folder: Path) -> str | None:
    """A copy of the file in `folder`, so that editing it leaves the workshop's own alone; the path as it is where
    the file lies on another machine. Copying again finds the first copy."""
    if path is None or not Path(path).is_file():
        return path
    source = Path(path)
    if not folder.is_dir():
        make_folder(folder.absolute())
        give_to_person(folder)
    for name in _candidate_names(source):
        target = folder.absolute() / name
        if not target.exists():
            _copy_to_free_name(source, target)
        if filecmp.cmp(source, target, shallow=False):
            return str(target)
    raise AssertionError("names do not end")


@contextmanager
def report_unwritable(folder: Path, *, kept: str | None = None, again: str = "name another place") -> Generator[None]:
    """Turn a failure to write below `folder` into a sentence. `kept` says where the pictures are all the same, `again`
    what to do once there is room.

    Raises:
        Failure: something could not be written.
    """
    try:
        yield
    except OSError as error:
        full = is_disk_full(error)
        raise bad_input(
            "; ".join([f"{folder}: {error.strerror or error}", *([kept] if kept else [])]),
            hint=f"{'make room there' if full else 'make it writable'}, or {again}",
            code="disk_full" if full else "invalid_value",
        ) from None


def pictures_kept(batch: str, paths: Iterable[str | None]) -> str:
    """Where the workshop keeps the pictures of a batch: the folder above them that is named after it."""
    parts = next((Path(path).parts for path in paths if path is not None and batch in Path(path).parts), None)
    if parts is None:
        return f"the pictures of {batch} stay in the workshop's store"
    return f"the pictures of {batch} are in {Path(*parts[: parts.index(batch) + 1])}"


def _copy_to_free_name(source: Path, target: Path) -> None:
    """Copy a file durably to a free name; a file that takes the name meanwhile is left as it is."""
    with (
        source.open("rb") as read,
        partial_file(target, lambda written: shutil.copyfileobj(read, written)) as partial,
        suppress(FileExistsError),
    ):
        give_to_person(partial)
        os.link(partial, target)


def _candidate_names(source: Path) -> Iterator[str]:
    """The file's own name, then numbered ones: what a person has under that name is never overwritten."""
    yield source.name
    for number in count(2):
        yield f"{source.stem}_{number}{source.suffix}"
