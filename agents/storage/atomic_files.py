"""Files that are there whole or not at all, whenever the process or the machine dies: a partial file gets its final
name by one atomic call."""

import os
from pathlib import Path

from agents.shared.contained_path import contained_path
from bus.durable_folders import make_folder, sync_folder
from bus.failpoint import pass_failpoint
from bus.partial_files import PartialFiles

PARTIAL_FOLDER = ".partial"
"""Folder of unfinished files below the root, on the same file system as the final names."""


class AtomicFiles:
    """Durable writes below a root folder. Paths are absolute and lie below the root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._partial_files = PartialFiles(root / PARTIAL_FOLDER)

    def find(self, name: str | None) -> Path | None:
        """The path of a relative name; null for none, and for one that leads out of the root, as a catalogue that came
        from elsewhere may have."""
        return None if name is None else contained_path(self.root, name)

    def create(self, target: Path, data: bytes) -> None:
        """Write a file under a name that is free.

        Raises:
            FileExistsError: the name is taken; what is there is left as it is.
        """
        with self._partial_files.write(data, "file.written") as partial:
            make_folder(target.parent)
            os.link(partial, target)
            pass_failpoint("file.named")
            sync_folder(target.parent)

    def replace(self, target: Path, data: bytes) -> None:
        """Write a file, in place of what is there."""
        with self._partial_files.write(data, "file.written") as partial:
            make_folder(target.parent)
            partial.replace(target)
            pass_failpoint("file.named")
            sync_folder(target.parent)

    def remove(self, target: Path) -> None:
        """Remove a file; absent is fine."""
        target.unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove the partial files of processes that are dead; returns how many there were."""
        return self._partial_files.sweep()
