"""`bottega prune`: what the workshop removes by itself now and then, removed now, or only counted."""

import asyncio
import sys
import time

from msgspec import Struct

from agents.doors.cli.errors import bad_input
from agents.doors.cli.records.databases import databases
from agents.doors.cli.settings import load_settings
from agents.planner.ledger.retention_loop import RemovedCounts, RetentionLoop
from agents.shared.database.copying import revision_of
from agents.shared.database.engine import open_engine
from agents.shared.database.group_commit import GroupCommit
from agents.shared.settings import Settings
from agents.storage import retention
from agents.storage.atomic_files import AtomicFiles
from agents.storage.catalogue import open_catalogue
from bus.local_blobs import LocalBlobs
from protocol.codec import encode
from protocol.counts import format_count


class PruneResult(Struct, frozen=True, kw_only=True):
    """What `bottega prune --json` prints: what was removed, or would be. Bytes of pictures include their sidecars."""

    dry_run: bool
    blobs: int
    blob_bytes: int
    pictures: int
    picture_bytes: int
    batches: int


def prune(dry_run: bool, json: bool) -> None:
    """Remove, or count, what the retention settings say is needed no more.

    Raises:
        Failure: the records are of another version.
    """
    settings = load_settings()
    pruned = asyncio.run(_prune_all(settings, dry_run))
    if json:
        sys.stdout.write(encode(pruned).decode() + "\n")
        return
    blobs = format_count(pruned.blobs, "blob of ended pictures", "blobs of ended pictures")
    pictures, batches = format_count(pruned.pictures, "picture"), format_count(pruned.batches, "batch", "batches")
    sys.stdout.write(
        f"{'would remove' if dry_run else 'removed'}\n"
        f"  {blobs}, {pruned.blob_bytes / 1e6:.1f} MB, after {settings.retain_blobs_hours:g} hours\n"
        f"  {pictures}, {pruned.picture_bytes / 1e6:.1f} MB, {_format_retention(settings.retain_days)}\n"
        f"  {batches}, {_format_retention(settings.retain_ledger_days)}\n"
    )


async def _prune_all(settings: Settings, dry_run: bool) -> PruneResult:
    blobs, now = LocalBlobs(settings.blobs), time.time()
    kept = await asyncio.to_thread(_existing_databases, settings)
    in_ledger = await _prune_ledger(settings, blobs, now, dry_run) if "ledger" in kept else RemovedCounts()
    pictures = (
        await _prune_catalogue(settings, blobs, now, dry_run) if "catalogue" in kept else retention.RemovedPictures()
    )
    return PruneResult(
        dry_run=dry_run,
        blobs=in_ledger.blobs,
        blob_bytes=in_ledger.blob_bytes,
        pictures=pictures.pictures,
        picture_bytes=pictures.picture_bytes,
        batches=in_ledger.batches,
    )


async def _prune_ledger(settings: Settings, blobs: LocalBlobs, now: float, dry_run: bool) -> RemovedCounts:
    engine = open_engine(settings.ledger_url)
    try:
        async with GroupCommit(engine) as ledger:
            return await RetentionLoop(ledger, blobs, settings).run_once(now, dry_run=dry_run)
    finally:
        engine.dispose()


async def _prune_catalogue(
    settings: Settings, blobs: LocalBlobs, now: float, dry_run: bool
) -> retention.RemovedPictures:
    if settings.retain_days is None:
        return retention.RemovedPictures()
    async with open_catalogue(settings.catalogue_url) as catalogue:
        files = AtomicFiles(settings.pictures)
        return await retention.Retention(catalogue, files, blobs, settings.retain_days).run_once(now, dry_run=dry_run)


def _existing_databases(settings: Settings) -> set[str]:
    """The names of the databases that are there."""
    there: set[str] = set()
    for database in databases(settings):
        revision = revision_of(database)
        if revision is not None and revision != database.newest_revision:
            raise bad_input(
                f"the {database.name} is at revision {revision}, this version works with {database.newest_revision}",
                hint="start the workshop once, which migrates it",
            )
        if revision is not None:
            there.add(database.name)
    return there


def _format_retention(days: float | None) -> str:
    return "kept for ever" if days is None else f"after {days:g} days"
