"""File systems that are really full: a small tmpfs, where mounting is allowed."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

KIB = 1024


@contextmanager
def small_disk(folder: Path, kibibytes: int, files: int | None = None) -> Generator[Path]:
    """`folder` on a file system of its own, with room for `files` files and folders where that is given; the test is
    skipped, with the reason, where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    inodes = "" if files is None else f",nr_inodes={files + 1}"
    _mount_or_skip("-t", "tmpfs", "-o", f"size={kibibytes}k{inodes}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], timeout=20, check=True)


def enlarge(folder: Path, kibibytes: int) -> None:
    """Give a small disk more room."""
    _mount_or_skip("-o", f"remount,size={kibibytes}k", str(folder))


def fill(folder: Path) -> Path:
    """A file that takes all room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (KIB * KIB, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast


def _mount_or_skip(*arguments: str) -> None:
    try:
        done = subprocess.run(["mount", *arguments], capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        pytest.skip("there is no program mount here")
    if done.returncode:
        pytest.skip(f"mounting a file system is not allowed here: {done.stderr.strip()}")
