"""Paths below a folder that a name from elsewhere, such as a restored backup, must not leave: neither by its own parts
nor by a link that lies on the way."""

from pathlib import Path, PurePosixPath


def is_plain(name: str) -> bool:
    """Whether a relative path stays below where it begins, by its own parts. Pure."""
    parts = PurePosixPath(name).parts
    return bool(parts) and not name.startswith("/") and ".." not in parts and "\0" not in name and "\\" not in name


def contained_path(root: Path, name: str) -> Path | None:
    """The path below `root`; null where it is not below it, or where it or what lies on the way is a link."""
    if not is_plain(name):
        return None
    path = root
    for part in PurePosixPath(name).parts:
        path /= part
        if path.is_symlink():
            return None
    return path


def lies_within(root: Path, path: Path) -> bool:
    """Whether what a path leads to, over any links, lies below `root`."""
    return path.resolve().is_relative_to(root.resolve())
