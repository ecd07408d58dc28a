"""Files that are there whole or not at all, whenever the process or the machine dies.

Bytes go to a partial file in one folder of their own, are synced, and get their final name by one atomic call. What
a dead process left there is swept; a living one holds a lock on its partial file.
"""

import fcntl
import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from bus.durable import make_folder, sync_folder
from bus.failpoint import reached

PARTIAL = ".partial"
"""Folder of unfinished files below the root, on the same file system as the final names."""


class AtomicFiles:
    """Durable writes below a root folder. Paths are absolute and lie below the root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._partial = root / PARTIAL

    def create(self, target: Path, data: bytes) -> None:
        """Write a file under a name that is free.

        Raises:
            FileExistsError: the name is taken; what is there is left as it is.
        """
        with self._written(data) as partial:
            make_folder(target.parent)
            os.link(partial, target)
            reached("file.named")
            sync_folder(target.parent)

    def replace(self, target: Path, data: bytes) -> None:
        """Write a file, in place of what is there."""
        with self._written(data) as partial:
            make_folder(target.parent)
            partial.replace(target)
            reached("file.named")
            sync_folder(target.parent)

    def remove(self, target: Path) -> None:
        """Remove a file; absent is fine."""
        target.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove the partial files of processes that are dead; returns how many there were."""
        if not self._partial.is_dir():
            return 0
        return sum(_removed_if_abandoned(path) for path in self._partial.iterdir())

    @contextmanager
    def _written(self, data: bytes) -> Generator[Path]:
        make_folder(self._partial)
        partial = self._partial / secrets.token_hex(8)
        with partial.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            try:
                file.write(data)
                reached("file.written")
                file.flush()
                os.fsync(file.fileno())
                yield partial
            finally:
                partial.unlink(missing_ok=True)


def _removed_if_abandoned(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
