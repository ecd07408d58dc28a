"""Removing filed pictures whose time is over: file and sidecar first, then the row, so that a removal that was
interrupted is done again."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from agents.shared.contained_path import is_plain
from agents.shared.periodic import run_periodically
from agents.storage.atomic_files import AtomicFiles
from agents.storage.catalogue import Catalogue, CatalogueRow
from agents.storage.filing import remove_picture, sidecar_path
from agents.storage.overview import is_overview
from bus.blobs import Blobs

PAGE_SIZE = 100
"""Pictures in one step."""

DAY_S = 86_400.0

log = structlog.get_logger()


@dataclass
class RemovedPictures:
    """What a round removed, or would."""

    pictures: int = 0
    picture_bytes: int = 0


class Retention:
    """One catalogue's. Rounds may be cut off anywhere, and run in several processes at once."""

    def __init__(self, catalogue: Catalogue, files: AtomicFiles, blobs: Blobs, days: float) -> None:
        self._catalogue = catalogue
        self._files = files
        self._blobs = blobs
        self._days = days

    async def run(self) -> None:
        """A round now and then, until cancelled."""
        await run_periodically(self._run_and_log, "pictures were not removed; the next round tries again")

    async def _run_and_log(self) -> None:
        removed = await self.run_once(time.time())
        if removed.pictures:
            log.info("pictures_removed", count=removed.pictures, bytes=removed.picture_bytes)

    async def run_once(self, now: float, *, dry_run: bool = False) -> RemovedPictures:
        """Remove every picture that was ordered and filed more than the days ago; with `dry_run` only count them."""
        before = now - self._days * DAY_S
        ordered = datetime.fromtimestamp(before, UTC).isoformat(timespec="seconds")
        removed = RemovedPictures()
        after = ("", "")
        while page := await self._catalogue.list_ordered_before(ordered, after, PAGE_SIZE):
            after = (page[-1].created_at, page[-1].image_id)
            over = await self._find_expired(page, before)
            removed.pictures += len(over)
            removed.picture_bytes += sum(size for _, size in over)
            if not dry_run:
                await self._remove([entry for entry, _ in over], ordered, before)
        return removed

    async def _remove(self, entries: Sequence[CatalogueRow], ordered: str, before: float) -> None:
        await asyncio.to_thread(self._unlink, entries)
        alone = {entry.blob for entry in entries if entry.path is None}
        for blob in alone - await self._catalogue.blobs_without_file(sorted(alone), ordered):
            await self._blobs.remove_idle(blob, before)
        await self._catalogue.remove([entry.image_id for entry in entries])

    async def _find_expired(self, page: Sequence[CatalogueRow], before: float) -> list[tuple[CatalogueRow, int]]:
        """The pictures that were not filed since, with their bytes; those without a file have none of their own, and
        those behind a link are left alone."""
        filed = [entry for entry in page if entry.path is not None and not self._is_behind_link(entry.path)]
        sized = await asyncio.to_thread(
            lambda: [(entry, _expired_size(self._files.find(entry.path), before)) for entry in filed]
        )
        alone = [entry for entry in page if entry.path is None]
        return [(entry, size) for entry, size in sized if size is not None] + [
            (entry, 0) for entry in alone if not await self._is_recent(entry.blob, before)
        ]

    def _is_behind_link(self, name: str) -> bool:
        """Whether a picture lies where a link of the operator's leads: row and file stay together, both untouched."""
        return is_plain(name) and self._files.find(name) is None

    async def _is_recent(self, blob: str, before: float) -> bool:
        return await self._blobs.has(blob) and not await self._blobs.idle_bytes(blob, before)

    def _unlink(self, entries: Sequence[CatalogueRow]) -> None:
        for entry in entries:
            if (path := self._files.find(entry.path)) is not None:
                remove_picture(self._files, path)
                self._remove_empty_folders(path.parent)

    def _remove_empty_folders(self, folder: Path) -> None:
        """Remove folders that hold nothing any more, or only the overview of pictures that are gone."""
        while folder != self._files.root and folder.is_dir():
            left = list(folder.iterdir())
            if not all(is_overview(path.name) for path in left):
                return
            for path in left:
                self._files.remove(path)
            with contextlib.suppress(OSError):  # a picture was filed there meanwhile
                folder.rmdir()
            folder = folder.parent


def _expired_size(path: Path | None, before: float) -> int | None:
    """Bytes of a picture and its sidecar; null where it was filed since. What is gone already has none, and neither has
    what never lay in the pictures' folder."""
    if path is None:
        return 0
    try:
        found = path.stat()
        if found.st_mtime >= before:
            return None
        return found.st_size + sidecar_path(path).stat().st_size
    except FileNotFoundError:
        return 0
