"""Who may read what the product writes: its owner alone, or the group of a shared home; what a person asked to have
elsewhere, as that person's umask says."""

import os
import resource
from pathlib import Path

_given_umask: list[int] = []
"""The umask that the process began with, once it was replaced."""


def protect_files(shared_home: bool) -> None:
    """From now on this process, and those it starts, make files for their owner, or for his group as well; and no core
    files, in which everything would stand that was in memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    before = os.umask(0o027 if shared_home else 0o077)
    if not _given_umask:
        _given_umask.append(before)


def give_to_person(path: Path) -> None:
    """Let a file or folder that was made for a person have the mode that his umask gives it."""
    if _given_umask:
        whole = 0o777 if path.is_dir() else 0o666
        path.chmod(whole & ~_given_umask[0])
