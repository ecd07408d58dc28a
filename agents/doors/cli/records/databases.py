"""The two databases of a workshop, and how a backup of them lies in a folder."""

import hashlib
from pathlib import Path

import msgspec
from msgspec import Struct

from agents.planner.agent import MIGRATIONS as LEDGER
from agents.planner.ledger.tables import metadata as ledger_tables
from agents.shared.database.copying import Database
from agents.shared.settings import Settings
from agents.storage.catalogue import MIGRATIONS as CATALOGUE
from agents.storage.catalogue import images

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1024 * 1024
FORMAT = 1


class DatabaseBackup(Struct, frozen=True, kw_only=True):
    """One database in a backup: a SQLite file of its name. `rows` by table."""

    revision: str
    sha256: str
    bytes: int
    rows: dict[str, int]


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup says of itself. `version` is the program's, `made_at` ISO 8601 in UTC."""

    format: int
    version: str
    made_at: str
    databases: dict[str, DatabaseBackup]


def databases(settings: Settings) -> list[Database]:
    """Ledger and catalogue, in the order in which they are backed up.

    Storage enters a picture before the planner hears of it, so a catalogue that is read after the ledger has every
    picture that this ledger calls completed. What the catalogue has beyond that is asked for again, found, and not made
    twice.
    """
    return [
        Database("ledger", settings.ledger_url, ledger_tables, LEDGER),
        Database("catalogue", settings.catalogue_url, images.metadata, CATALOGUE),
    ]


def read_manifest(folder: Path) -> Manifest | None:
    """What the backup in a folder says of itself; null where it is none."""
    file = folder / MANIFEST
    if not file.is_file():  # a pipe would be waited for
        return None
    try:
        with file.open("rb") as opened:
            return parse_manifest(opened.read(MAX_MANIFEST_BYTES))
    except OSError:
        return None


def parse_manifest(data: bytes) -> Manifest | None:
    """What a backup's manifest says; null where it is none."""
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, RecursionError):
        return None


def file_of(folder: Path, name: str) -> Path:
    """The file of a database in a backup."""
    return folder / f"{name}.db"


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
