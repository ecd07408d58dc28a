"""Row 2, of files: a ledger that is cut off, overwritten or deleted is told in words, and is left as it is."""

import json
import os
from pathlib import Path
from random import Random

import pytest

from agents.doors.cli.records.compare import Inventory, take_inventory
from agents.doors.cli.records.databases import (
    FORMAT,
    MANIFEST,
    DatabaseBackup,
    Manifest,
    databases,
    file_of,
    sha256_of,
)
from agents.doors.cli.workshop.doctor import check_records
from agents.shared.database.copying import Database
from agents.shared.database.engine import DamagedDatabase, migrate, open_engine
from agents.shared.settings import Settings
from protocol.codec import encode
from tests.doors.cli.conftest import Home
from tests.storage.making import png


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def written(database: Database, file: Path) -> bytes:
    """An empty database of the newest revision."""
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine, database.scripts)
    engine.dispose()
    return file.read_bytes()


def damage(kind: str, whole: bytes) -> bytes:
    return Random(1).randbytes(20_000) if kind == "random" else whole[: len(whole) // 2 // 4096 * 4096 - 100]


@pytest.mark.parametrize("kind", ["random", "truncated"])
def test_a_damaged_ledger_is_told_in_words_and_stays_as_it_is(home: Home, kind: str) -> None:
    home.folder.mkdir()
    settings = Settings(home=home.folder)
    ledger, catalogue = databases(settings)
    written(catalogue, home.folder / "catalogue.db")
    file = home.folder / "ledger.db"
    damaged = damage(kind, written(ledger, file))
    file.write_bytes(damaged)
    told = check_records(settings)
    assert (told.state, str(file) in told.detail, "bottega restore" in (told.advice or "")) == ("failed", True, True)
    done = home.run("list")
    assert (done.returncode, f"{file} is damaged" in done.stderr) == (2, True)
    assert file.read_bytes() == damaged
    with pytest.raises(DamagedDatabase):
        migrate(open_engine(f"sqlite:///{file}"), ledger.scripts)


@pytest.mark.parametrize("kind", ["random", "truncated"])
def test_a_backup_whose_ledger_is_damaged_is_refused_before_anything_is_replaced(
    home: Home, tmp_path: Path, kind: str
) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    parts: dict[str, DatabaseBackup] = {}
    for database in databases(Settings(home=home.folder)):
        file = file_of(backup, database.name)
        whole = written(database, file)
        if database.name == "ledger":
            file.write_bytes(damage(kind, whole))
        parts[database.name] = DatabaseBackup(
            revision=database.newest_revision, sha256=sha256_of(file), bytes=file.stat().st_size, rows={}
        )
    manifest = Manifest(format=FORMAT, version="1", made_at="2026-01-01T00:00:00Z", databases=parts)
    (backup / MANIFEST).write_bytes(encode(manifest))
    done = home.run("restore", str(backup), "--json")
    assert done.returncode == 2
    assert "the backup's ledger cannot be used" in json.loads(done.stdout)["error"]["message"]
    assert not (home.folder / "catalogue.db").exists()


def test_pictures_beside_a_ledger_that_was_deleted_are_told(home: Home) -> None:
    settings = Settings(home=home.folder)
    picture = settings.pictures / "local" / "gen_a" / "a.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(png())
    os.utime(picture, (1000.0, 1000.0))
    assert take_inventory(settings) == Inventory(pictures=0, lost=0, missing=0, unknown=0, unledgered=1)
    assert check_records(settings).state == "warning"
