"""Files that are not whole yet, in a folder of their own: written, synced, and then named by their writer.

A living process holds a lock on each of its own, so the files of dead ones are recognised and swept, whatever their
age.
"""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bus.durable_files import sync_file
from bus.durable_folders import make_folder
from bus.failpoint import pass_failpoint


class PartialFiles:
    """The partial files in one folder, on the file system of their final names, of any number of processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def write(self, data: bytes, point: str) -> Generator[Path]:
        """A durable file of these bytes, to be linked or renamed in the block; what is left of it then goes. `point` is
        a failpoint between writing and syncing."""
        file, partial = self._create_locked()
        with file:
            try:
                file.write(data)
                pass_failpoint(point)
                sync_file(file)
                yield partial
            finally:
                partial.unlink(missing_ok=True)

    @contextmanager
    def withdraw(self, path: Path) -> Generator[Path]:
        """A named file, taken from its name for the block; it goes with it unless the block names it again.

        Raises:
            FileNotFoundError: there is no such file.
        """
        make_folder(self.folder)
        partial = self._free_name()
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            path.rename(partial)
            try:
                yield partial
            finally:
                partial.unlink(missing_ok=True)

    def _create_locked(self) -> tuple[BinaryIO, Path]:
        """A new file that no sweep takes; one that was swept before it was locked is made again."""
        make_folder(self.folder)
        while True:
            partial = self._free_name()
            file = partial.open("xb")
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                return file, partial
            file.close()

    def _free_name(self) -> Path:
        return self.folder / secrets.token_hex(8)

    def sweep(self) -> int:
        """Remove the partial files of processes that are dead; returns how many there were."""
        if not self.folder.is_dir():
            return 0
        return sum(_remove_if_abandoned(path) for path in self.folder.iterdir())


def _remove_if_abandoned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
