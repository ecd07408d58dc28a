"""Files that survive a power cut, and are whole whenever they have their name.

A file that many processes write at once, and that outlives a dead one, is written by `bus.partial_files`.
"""

import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bus.durable_folders import make_folder, sync_folder


def sync_file(file: IO[bytes]) -> None:
    """Have on the disk what is written to an open file."""
    file.flush()
    os.fsync(file.fileno())


def write_new_file(target: Path, data: bytes) -> None:
    """Write a file under a name that is free. Its content is durable; its name is once the folder is synced.

    Raises:
        FileExistsError: the name is taken.
    """
    with target.open("xb") as file:
        file.write(data)
        sync_file(file)


@contextmanager
def partial_file(target: Path, write: Callable[[IO[bytes]], object], mode: int = 0o666) -> Generator[Path]:
    """A file beside `target` that has on the disk what `write` writes, to be linked or renamed to it in the block; what
    is left of it then goes, and the new name is made durable."""
    make_folder(target.parent)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            write(file)
            sync_file(file)
        yield partial
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(target.parent)


def replace_file(target: Path, data: bytes, check: Callable[[Path], object] | None = None, mode: int = 0o666) -> None:
    """Write a file in place of what is there; a reader, or the next process, finds the old one or the new one. What
    `check` raises of the new one leaves the old one."""
    with partial_file(target, lambda file: file.write(data), mode) as partial:
        if check is not None:
            check(partial)
        partial.replace(target)
