"""The room on a disk."""

import os
from pathlib import Path

FULL_BYTES = 1024 * 1024
"""A disk with less room is full: the largest message does not fit any more."""


def nearest_folder(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def free_bytes(folder: Path) -> int:
    """Room that this process may fill on the disk of a folder; none where no file can be made any more."""
    disk = os.statvfs(nearest_folder(folder))
    if disk.f_files and not disk.f_ffree:
        return 0
    return (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail) * disk.f_frsize
