"""`bottega restore`: ledger and catalogue from a backup, into SQLite or PostgreSQL, where no workshop runs.

A backup is as untrusted as an upload: a copy of everything is checked before anything is changed. Each database is
replaced in one transaction, the catalogue first.
"""

import asyncio
import shutil
import sys
from pathlib import Path

from msgspec import Struct

from agents.doors.cli.errors import Failure, bad_input
from agents.doors.cli.records.backup import describe_backup
from agents.doors.cli.records.backup_batches import fault_of_batches
from agents.doors.cli.records.backup_rows import fault_of_row
from agents.doors.cli.records.databases import FORMAT, MANIFEST, Manifest, databases, file_of, read_manifest, sha256_of
from agents.doors.cli.records.home_paths import move_paths
from agents.doors.cli.settings import load_settings
from agents.doors.cli.speaker import needs_operator
from agents.shared.database.copying import Database, copy_in, is_empty, rebuild, revision_of
from agents.shared.database.foreign_file import UnusableFile, check_rows, check_schema
from agents.shared.settings import Settings
from agents.shared.supervisor.address import lock_home
from bus.connection import Address, LoginRefused
from bus.credentials import outside_address
from bus.failpoint import pass_failpoint
from bus.operator import Operator
from protocol.codec import encode
from protocol.errors import AcpError, Refused


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
            f"restored {describe_backup(manifest.made_at, rows)}; pictures are copied by hand, bottega doctor tells "
            "what is missing\n"
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
            _rebuild(file_of(scratch, database.name), database, manifest.databases[database.name].revision)
        if fault := fault_of_batches(file_of(scratch, "ledger")):
            raise _unusable("ledger", fault)
        move_paths(file_of(scratch, "ledger"), file_of(scratch, "catalogue"), settings.pictures)
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
    source, said = file_of(folder, name), manifest.databases[name]
    if not source.is_file():
        raise bad_input(f"{source} is missing", hint="name a whole backup")
    size = source.stat().st_size
    if size != said.bytes:
        raise bad_input(
            f"{source} is damaged: it has {size} bytes, {MANIFEST} says {said.bytes}", hint="use another backup"
        )
    shutil.copyfile(source, file_of(scratch, name))
    if sha256_of(file_of(scratch, name)) != said.sha256:
        raise bad_input(f"{source} is damaged: its SHA-256 is not that of {MANIFEST}", hint="use another backup")


def _rebuild(copy: Path, database: Database, revision: str) -> None:
    """Put in place of a copy one that holds its rows at this version's revision, as this program could have written
    them."""
    foreign = copy.with_suffix(".foreign")
    copy.rename(foreign)
    try:
        check_schema(foreign)
        rebuild(foreign, database, revision, copy)
        check_rows(copy, database.tables, fault_of_row)
        foreign.unlink()
    except (UnusableFile, Refused) as error:
        raise _unusable(database.name, str(error)) from None


def _unusable(database: str, fault: str) -> Failure:
    return bad_input(
        f"the backup's {database} cannot be used: {fault}",
        hint="it is damaged, or was changed by hand: use another backup",
    )


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
