"""`bottega restore`: ledger and catalogue from a backup, into SQLite or PostgreSQL, where no workshop runs.

Everything is checked before anything is changed. Each database is replaced in one transaction, the catalogue first.
"""

import asyncio
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from agents.doors.cli.errors import bad_input
from agents.doors.cli.records.backup import describe_backup
from agents.doors.cli.records.databases import FORMAT, MANIFEST, Manifest, databases, file_of, read_manifest, sha256_of
from agents.doors.cli.settings import load_settings
from agents.doors.cli.speaker import needs_operator
from agents.shared.contained_path import is_plain
from agents.shared.database.copying import Database, copy_in, is_empty, revision_of
from agents.shared.settings import Settings
from agents.shared.supervisor.address import lock_home
from bus.connection import Address, LoginRefused
from bus.credentials import outside_address
from bus.failpoint import pass_failpoint
from bus.operator import Operator
from protocol.codec import encode
from protocol.errors import AcpError


class RestoreResult(Struct, frozen=True, kw_only=True):
    """What `bottega restore --json` prints. `rows` by database and table, as they are now."""

    folder: str
    manifest: Manifest
    rows: dict[str, dict[str, int]]


def restore(folder: Path, force: bool, json: bool) -> None:
    """Restore a backup and say what was in it.

    Raises:
        Failure: a workshop runs, the backup is broken or of a newer version, or `force` is missing.
    """
    settings = load_settings()
    source = folder.absolute()
    with lock_home(settings.address_file):
        _check_no_agents(settings)
        rows = restore_records(source, settings, force)
    manifest = _require_manifest(source)
    if json:
        sys.stdout.write(encode(RestoreResult(folder=str(source), manifest=manifest, rows=rows)).decode() + "\n")
    else:
        sys.stderr.write(
            f"restored {describe_backup(manifest)}; pictures are copied by hand, bottega doctor tells what is missing\n"
        )


def restore_records(folder: Path, settings: Settings, force: bool) -> dict[str, dict[str, int]]:
    """Replace the records of a workshop that is at rest by those of a backup; returns the rows by database and table.

    Raises:
        Failure: the backup cannot be used, or there are records and `force` is missing.
    """
    manifest = _require_manifest(folder)
    kept = databases(settings)
    for database in kept:
        _check_revisions(manifest, database)
    scratch = settings.home / ".restore"
    shutil.rmtree(scratch, ignore_errors=True)  # left by one that was killed
    scratch.mkdir(mode=0o700, parents=True)
    try:
        # What is checked is the copy that is read, whatever happens to the backup meanwhile.
        for database in kept:
            _copy_verified(folder, manifest, database.name, scratch)
        _check_rows(scratch)
        if not force:
            for database in kept:
                _check_empty(database)
        # What the broker keeps speaks of later times; the planner says again what is not done.
        shutil.rmtree(settings.nats_folder / "store", ignore_errors=True)
        rows: dict[str, dict[str, int]] = {}
        for database in reversed(kept):
            rows[database.name] = copy_in(file_of(scratch, database.name), database)
            pass_failpoint("restore.copied")
        return rows
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_manifest(folder: Path) -> Manifest:
    manifest = read_manifest(folder)
    if manifest is None:
        raise bad_input(f"{folder} is no backup: no readable {MANIFEST} in it", hint="name a folder of bottega backup")
    if manifest.format != FORMAT:
        raise bad_input(
            f"{folder} has format {manifest.format}, this version reads {FORMAT}",
            hint=f"restore it with version {manifest.version}",
        )
    return manifest


def _check_revisions(manifest: Manifest, database: Database) -> None:
    part = manifest.databases.get(database.name)
    if part is None:
        raise bad_input(f"the backup has no {database.name}", hint="name a whole one")
    if not database.can_migrate_from(part.revision):
        raise bad_input(
            f"the backup's {database.name} is at revision {part.revision}, newer than this version, which knows "
            f"{database.newest_revision}",
            hint=f"restore it with bottega {manifest.version} or newer",
        )
    present = revision_of(database)
    if present is not None and not database.can_migrate_from(present):
        raise bad_input(
            f"the {database.name} that is there is at revision {present}, newer than this version",
            hint="restore with the version that wrote it",
        )


def _copy_verified(folder: Path, manifest: Manifest, name: str, scratch: Path) -> None:
    source, copy = file_of(folder, name), file_of(scratch, name)
    if not source.is_file():
        raise bad_input(f"{source} is missing", hint="name a whole backup")
    shutil.copyfile(source, copy)
    if sha256_of(copy) != manifest.databases[name].sha256:
        raise bad_input(f"{source} is damaged: its SHA-256 is not that of {MANIFEST}", hint="use another backup")


def _check_rows(scratch: Path) -> None:
    """See that the copies are databases, and that no row of the catalogue names a file elsewhere."""
    try:
        with closing(sqlite3.connect(f"file:{file_of(scratch, 'catalogue')}?mode=ro", uri=True)) as catalogue:
            _check_whole(catalogue)
            rows = catalogue.execute("SELECT path FROM images WHERE path IS NOT NULL")
            strays = [path for (path,) in rows if not isinstance(path, str) or not is_plain(path)]
        with closing(sqlite3.connect(f"file:{file_of(scratch, 'ledger')}?mode=ro", uri=True)) as ledger:
            _check_whole(ledger)
    except sqlite3.DatabaseError as error:
        raise bad_input(f"the backup holds no readable database: {error}", hint="use another backup") from None
    if strays:
        raise bad_input(
            f"{len(strays)} pictures of the backup's catalogue lie outside of the pictures' folder, such as "
            f"{str(strays[0])[:200]!r}",
            hint="this backup was changed by hand: use another one",
        )


def _check_whole(copy: sqlite3.Connection) -> None:
    """Raises `sqlite3.DatabaseError` where a file is cut off or its pages do not hang together."""
    (told,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        raise sqlite3.DatabaseError(str(told)[:200])


def _check_empty(database: Database) -> None:
    if revision_of(database) is not None and not is_empty(database):
        raise bad_input(
            f"there is a {database.name} already, with records in it",
            hint="back it up, then replace it with --force; or name another home in BOTTEGA_HOME",
        )


def _check_no_agents(settings: Settings) -> None:
    """Agents of a server of someone else's hold no lock of this home."""
    if settings.nats_url is not None:
        address = outside_address(settings.nats_url, settings.nats_folder, "operator")
        if refusal := needs_operator(address.user, str(settings.nats_folder)):
            raise refusal
        asyncio.run(_check_no_agents_at(address))


async def _check_no_agents_at(address: Address) -> None:
    try:
        async with Operator.open(address) as operator:
            working = sorted({one.role for one in await operator.presences()} & {"planner", "storage"})
    except LoginRefused:
        raise
    except AcpError:
        return  # where nothing answers nobody works
    if working:
        raise bad_input(
            f"agents work at {address.url}: {', '.join(working)}", hint="stop them first", code="wrong_state"
        )
