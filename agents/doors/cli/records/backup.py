"""`bottega backup`: ledger and catalogue as they are now, in a new folder, while the workshop runs or not.

The folder gets its name when everything in it is on the disk: a backup that was cut off has another name.
"""

import fcntl
import importlib.metadata
import os
import shutil
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from agents.doors.cli.errors import bad_input
from agents.doors.cli.records.databases import FORMAT, MANIFEST, DatabaseBackup, Manifest, databases, file_of, sha256_of
from agents.doors.cli.settings import load_settings
from agents.shared.database.copying import Database, OtherRevision, copy_out, open_snapshots
from bus.durable_files import sync_file, write_new_file
from bus.durable_folders import sync_folder
from bus.failpoint import pass_failpoint
from protocol.codec import encode
from protocol.counts import format_count


class Backup(Struct, frozen=True, kw_only=True):
    """What `bottega backup --json` prints."""

    folder: str
    manifest: Manifest


def backup(folder: Path, json: bool) -> None:
    """Write a backup and say what is in it.

    Raises:
        Failure: the folder is there already, or there is nothing to back up.
    """
    target = folder.absolute()
    if target.exists():
        raise bad_input(f"{target} is there already", hint="name a new folder; no backup is overwritten")
    made = Backup(folder=str(target), manifest=write_backup(target, databases(load_settings())))
    if json:
        sys.stdout.write(encode(made).decode() + "\n")
    else:
        sys.stdout.write(f"{target}\n")
        rows = {name: part.rows for name, part in made.manifest.databases.items()}
        sys.stderr.write(
            f"{describe_backup(made.manifest.made_at, rows)}; pictures are files of their own: copy them after this\n"
        )


def write_backup(target: Path, kept: list[Database]) -> Manifest:
    """Write the backup of databases, taken in this order, into a folder that is not there yet.

    Raises:
        Failure: somebody else writes there, or a database cannot be backed up by this version.
    """
    with _partial_folder(target) as partial:
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        try:
            with open_snapshots(kept) as connections:
                parts = {
                    database.name: _describe_database(
                        partial, database, copy_out(connection, database, file_of(partial, database.name))
                    )
                    for database, connection in zip(kept, connections, strict=True)
                }
        except OtherRevision as error:
            raise _revision_failure(error) from error
        pass_failpoint("backup.copied")
        version = importlib.metadata.version("bottega")
        manifest = Manifest(format=FORMAT, version=version, made_at=made_at, databases=parts)
        write_new_file(partial / MANIFEST, msgspec.json.format(encode(manifest), indent=2) + b"\n")
        sync_folder(partial)
        pass_failpoint("backup.written")
        partial.rename(target)
        sync_folder(target.parent)
    return manifest


def describe_backup(made_at: str, by_database: Mapping[str, Mapping[str, int]]) -> str:
    """A backup in a line for a person: its rows by database and table."""
    rows = {table: count for part in by_database.values() for table, count in part.items()}
    nouns = (("batches", "batch"), ("jobs", "job"), ("images", "image"))
    counts = ", ".join(format_count(rows.get(table, 0), noun, table) for table, noun in nouns)
    return f"{counts}, as of {made_at}"


def _describe_database(folder: Path, database: Database, rows: dict[str, int]) -> DatabaseBackup:
    file = file_of(folder, database.name)
    with file.open("rb") as opened:
        sync_file(opened)
    return DatabaseBackup(
        revision=database.newest_revision, sha256=sha256_of(file), bytes=file.stat().st_size, rows=rows
    )


@contextmanager
def _partial_folder(target: Path) -> Generator[Path]:
    """The folder in which a backup comes into being, held by a lock that dies with this process; what a dead one left
    there is removed."""
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise bad_input(f"another backup is being written to {target}", hint="wait for it, or name another") from None
    try:
        for left in partial.iterdir():
            left.unlink()
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        os.close(descriptor)


def _revision_failure(error: OtherRevision) -> Exception:
    if error.found is None:
        return bad_input(
            f"there is no {error.database.name} to back up at {_without_password(error.database.url)}",
            hint="see that BOTTEGA_HOME, BOTTEGA_LEDGER_URL and BOTTEGA_CATALOGUE_URL are those of the workshop",
        )
    return bad_input(
        str(error), hint="start the workshop once, which migrates it; or back up with the version that wrote it"
    )


def _without_password(url: str) -> str:
    """A database's URL without its password."""
    return url.rsplit("@", 1)[-1]
