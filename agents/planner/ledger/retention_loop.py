"""The planner's retention: removes, in small steps beside its work, what the ledger says is no longer needed."""

import time
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass

import structlog

from agents.planner.ledger import retention
from agents.planner.ledger.blob_owners import forget_owners
from agents.planner.ledger.retention import PICTURES_PER_STEP
from agents.planner.ledger.states import ENDED_JOB_STATES
from agents.shared.database.group_commit import GroupCommit
from agents.shared.periodic import run_periodically
from agents.shared.settings import Settings
from bus.blobs import BlobMissing, Blobs

PIXELS_MARK = "pixels_released"
"""The mark up to which pictures have ended whose pixels were released."""

WITHOUT_FILE_MARK = "pixels_alone"
"""The mark from which on pictures have ended that have no file, where there are any."""

STRAYS_MARK = "strays_released"
"""The mark of when blobs that no record names were looked for. They stay a day longer than pixels of ended pictures,
because the news of them may be on its way."""

MAX_COMMIT_DELAY_S = 60.0
"""What ends pictures at a time may be committed as much later, and must not be passed over."""

EARLIEST_MARK_S = 1.0
"""A mark that is set, and before everything."""

DAY_S = 86_400.0

log = structlog.get_logger()


@dataclass
class RemovedCounts:
    """What a round removed, or would."""

    blobs: int = 0
    blob_bytes: int = 0
    batches: int = 0


class RetentionLoop:
    """One workshop's. Rounds may be cut off anywhere, and run in several processes at once."""

    def __init__(self, ledger: GroupCommit, blobs: Blobs, settings: Settings) -> None:
        self._ledger = ledger
        self._blobs = blobs
        self._settings = settings

    async def run(self) -> None:
        """A round now and then, until cancelled."""
        await run_periodically(self._run_and_log, "upkeep failed; the next round tries again")

    async def _run_and_log(self) -> None:
        removed = await self.run_once(time.time())
        if removed != RemovedCounts():
            log.info("removed", blobs=removed.blobs, bytes=removed.blob_bytes, batches=removed.batches)

    async def run_once(self, now: float, *, dry_run: bool = False) -> RemovedCounts:
        """Remove everything whose time is over at `now`; with `dry_run` only count it."""
        removed = RemovedCounts()
        released = await self._release_pixels(now, removed, dry_run)
        await self._remove_strays(now, removed, dry_run)
        await self._forget_batches(now, released, removed, dry_run)
        return removed

    async def _release_pixels(self, now: float, removed: RemovedCounts, dry_run: bool) -> float:
        """Pixels of pictures that ended long enough ago; returns the time up to which that is done. Where pictures stay
        in the blob store, all of it stays."""
        if not self._settings.storage_files:
            return now
        before = now - self._settings.retain_blobs_hours * 3600
        since = await self._read_mark(PIXELS_MARK)
        if before <= since:
            return since
        needed = await self._ledger.read(retention.needed_blobs)
        alone = await self._find_blobs_without_file(since, before, dry_run)
        if needed is None or alone is None:
            log.info("too much is open, or without a file, to say which blobs are needed; nothing is released")
            return since
        kept = needed | alone | await self._ledger.read(retention.blobs_of_recipes)
        async for page in self._ended_pixel_pages(since, before):
            await self._release_blobs((name for name in page.blobs if name not in kept), before, removed, dry_run)
        if not dry_run:
            until = min(before, now - MAX_COMMIT_DELAY_S)
            await self._ledger.write(lambda connection: retention.set_mark(connection, PIXELS_MARK, until))
        return before

    async def _remove_strays(self, now: float, removed: RemovedCounts, dry_run: bool) -> None:
        """Once a day, blobs that no record names: pixels of an attempt that was made again with others after its
        generator died, pictures that were brought and never ordered. All stay where a catalogue cannot be read, and
        where pictures lie in the blob store alone, since their records may be forgotten."""
        alone, last = [await self._read_mark(name) for name in (WITHOUT_FILE_MARK, STRAYS_MARK)]
        if alone or now - last < DAY_S or not self._settings.storage_files:
            return
        before = now - DAY_S - self._settings.retain_blobs_hours * 3600
        stale = {name async for names in self._blobs.list_idle(before) for name in names}
        if not stale:
            return
        stale -= await self._ledger.read(lambda connection: retention.referenced_blobs(connection, stale))
        try:
            for catalogue in await self._ledger.read(retention.catalogue_blobs):
                stale -= retention.blob_names_in(await self._blobs.get(catalogue))
        except (BlobMissing, OSError) as error:
            log.warning("what a catalogue names is not known, so no stray is removed today", why=str(error))
        else:
            await self._release_blobs(stale, before, removed, dry_run)
        if not dry_run:
            await self._ledger.write(lambda connection: retention.set_mark(connection, STRAYS_MARK, now))

    async def _release_blobs(self, names: Iterable[str], before: float, removed: RemovedCounts, dry_run: bool) -> None:
        act = self._blobs.idle_bytes if dry_run else self._blobs.remove_idle
        gone: list[str] = []
        for name in names:
            freed = await act(name, before)
            if freed:
                gone.append(name)
            removed.blobs += freed > 0
            removed.blob_bytes += freed
        if gone and not dry_run:
            await self._ledger.write(lambda connection: forget_owners(connection, gone, before))

    async def _read_mark(self, name: str) -> float:
        return await self._ledger.read(lambda connection: retention.read_mark(connection, name))

    async def _find_blobs_without_file(self, since: float, before: float, dry_run: bool) -> set[str] | None:
        """Blobs that are pictures themselves, from a time when storage filed none; others may have the same pixels.
        Null where they are too many to keep in memory."""
        marked = await self._read_mark(WITHOUT_FILE_MARK)
        found = set[str]()
        async for page in self._ended_pixel_pages(marked or since, before):
            found.update(page.blobs_without_file)
            if len(found) > retention.MAX_OPEN_ROWS:
                return None
        if found and not marked and not dry_run:
            first = max(since, EARLIEST_MARK_S)
            await self._ledger.write(lambda connection: retention.set_mark(connection, WITHOUT_FILE_MARK, first))
        return found

    async def _ended_pixel_pages(self, since: float, before: float) -> AsyncGenerator[retention.EndedPixels]:
        for state in ENDED_JOB_STATES:
            place: retention.PagePosition | None = None
            while True:
                page = await self._ledger.read(
                    lambda connection, state=state, place=place: retention.read_ended_pixels(
                        connection, state, since, before, place
                    )
                )
                yield page
                if (place := page.next_position) is None:
                    break

    async def _forget_batches(self, now: float, released: float, removed: RemovedCounts, dry_run: bool) -> None:
        """Batches that ended long ago, once their pixels were released."""
        if self._settings.retain_ledger_days is None:
            return
        before = min(released, now - self._settings.retain_ledger_days * DAY_S)
        limit = None if dry_run else PICTURES_PER_STEP
        while found := await self._ledger.read(
            lambda connection: retention.forgettable_batches(connection, before, limit)
        ):
            gone = [dry_run or await self._forget_batch(*one, before, now) for one in found]
            removed.batches += sum(gone)
            if dry_run or not all(gone):
                return

    async def _forget_batch(self, name: str, client: str, quantity: int, before: float, now: float) -> bool:
        """Whether it is gone; a batch that was taken up again meanwhile stays."""
        if not await self._ledger.write(
            lambda connection: retention.detach_client(connection, name, client, before, now)
        ):
            return False
        for first in range(0, quantity, PICTURES_PER_STEP):
            await self._ledger.write(lambda connection, first=first: retention.forget_pictures(connection, name, first))
        await self._ledger.write(lambda connection: retention.forget_batch(connection, name))
        return True
