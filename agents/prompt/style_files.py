"""Folders of style files, read again when a file changes; a broken edit keeps the last good version."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from agents.prompt.style import StyleFileError

_log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True)
class _CachedFile(Generic[T]):
    """A file as it was last read; `value` is its last good content, or null if there was none."""

    stamp: tuple[int, int, int]
    value: T | None


class StyleFiles(Generic[T]):
    """What the files of some folders say, by file name. A later folder overrides an earlier one."""

    def __init__(self, folders: Sequence[Path], read: Callable[[Path], T]) -> None:
        self._folders = tuple(folders)
        self._read = read
        self._entries: dict[Path, _CachedFile[T]] = {}

    def read_all(self) -> Mapping[str, T]:
        """What is there now, by name. Files that did not change since the last look are not read again."""
        paths = [path for folder in self._folders for path in sorted(folder.glob("*.toml"))]
        self._entries = {path: entry for path in paths if (entry := self._read_changed(path)) is not None}
        return {path.stem: entry.value for path, entry in self._entries.items() if entry.value is not None}

    def _read_changed(self, path: Path) -> _CachedFile[T] | None:
        known = self._entries.get(path)
        try:
            stat = path.stat()
        except OSError:
            return None
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        if known is not None and known.stamp == stamp:
            return known
        try:
            return _CachedFile(stamp, self._read(path))
        except StyleFileError as error:
            kept = known.value if known else None
            _log.warning("style_file_broken", problem=str(error), last_good_kept=kept is not None)
            return _CachedFile(stamp, kept)
