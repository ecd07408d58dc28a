"""Copies of finished files in a person's folder: whole or not at all, and never over a file of theirs."""

import filecmp
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

from bus.durable_folders import make_folder, sync_folder


def copy_to_folder(path: str | None, folder: Path) -> str | None:
    """A copy of the file in `folder`, so that editing it leaves the workshop's own alone; the path as it is where
    the file lies on another machine. Copying again finds the first copy."""
    if path is None or not Path(path).is_file():
        return path
    source = Path(path)
    make_folder(folder.absolute())
    for name in _candidate_names(source):
        target = folder.absolute() / name
        if not target.exists():
            _copy_to_free_name(source, target)
        if filecmp.cmp(source, target, shallow=False):
            return str(target)
    raise AssertionError("names do not end")


def replace_text(target: Path, text: bytes) -> None:
    """Write a file in place of what is there; a reader, or the next process, finds the old one or the new one."""
    partial = _partial_path(target)
    try:
        with partial.open("xb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(target.parent)


def _copy_to_free_name(source: Path, target: Path) -> None:
    """Copy a file durably to a free name; a file that takes the name meanwhile is left as it is."""
    partial = _partial_path(target)
    try:
        with source.open("rb") as read, partial.open("xb") as written:
            shutil.copyfileobj(read, written)
            written.flush()
            os.fsync(written.fileno())
        with suppress(FileExistsError):
            os.link(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(target.parent)


def _partial_path(target: Path) -> Path:
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")


def _candidate_names(source: Path) -> Iterator[str]:
    """The file's own name, then numbered ones: what a person has under that name is never overwritten."""
    yield source.name
    for number in count(2):
        yield f"{source.stem}_{number}{source.suffix}"
