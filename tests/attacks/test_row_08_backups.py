"""Row 8: a backup that somebody changed leads to no file outside of the home, and neither runs nor hangs anything."""

import asyncio
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agents.doors.cli.errors import Failure
from agents.doors.cli.records.backup import write_backup
from agents.doors.cli.records.databases import MANIFEST, databases
from agents.doors.cli.records.restore import restore_records
from bus.connection import Address
from protocol.commands import GenerateImages, Requirements
from protocol.parameters import ImageSource
from protocol.plans import GenerationPlan
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]

VIEW = "ALTER TABLE images RENAME TO kept; CREATE VIEW images AS SELECT {} FROM kept"
ENDLESS = "WITH RECURSIVE e(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM e) SELECT {} FROM kept, e"

SLOW_CHECK = """
    PRAGMA ignore_check_constraints=ON;
    CREATE TABLE x (hash, "index", state, stage, attempt, message, resends, updated_at, outcome, parent, reused,
        CHECK (outcome IS NULL OR instr(zeroblob(100000000), CAST(zeroblob(99999999) || 'b' AS BLOB)) = 0));
    INSERT INTO x SELECT hash, "index", state, stage, attempt, message, resends, updated_at, outcome, parent, reused
        FROM jobs;
    DROP TABLE jobs;
    ALTER TABLE x RENAME TO jobs;
    CREATE INDEX i ON jobs (outcome) WHERE instr(zeroblob(100000000), CAST(zeroblob(99999999) || 'b' AS BLOB)) = 0;
"""
"""Constraints that a writer of the table would compute for minutes."""

CHANGES = {
    "a picture elsewhere": ("catalogue", "UPDATE images SET path = '/etc/passwd'", "path is '/etc/passwd'"),
    "a view that answers for a table": ("catalogue", VIEW.format("*"), "view 'images'"),
    "a view without an end": ("catalogue", VIEW.replace("SELECT {} FROM kept", ENDLESS.format("kept.*")), "view"),
    "a trigger": (
        "ledger",
        "CREATE TRIGGER t AFTER UPDATE ON jobs BEGIN DELETE FROM spend; END",
        "trigger 't'",
    ),
    "a column that is computed": ("ledger", "ALTER TABLE jobs ADD COLUMN x AS (hex(message))", "table 'jobs'"),
    "an index over an expression": ("ledger", "CREATE INDEX i ON jobs (hex(message))", "index 'i'"),
    "an id that is a path": ("catalogue", "UPDATE images SET image_id = '../../x'", "image_id is '../../x'"),
    "a client that is a subject": ("ledger", "UPDATE audit SET client_id = 'acp.>'", "client_id is 'acp.>'"),
    "a blob that is a path": ("catalogue", "UPDATE images SET blob = '../secret'", "blob is '../secret'"),
    "work that is none": (
        "ledger",
        "INSERT INTO outbox VALUES ('a', 'work', 'local', x'7b7d', 1.0)",
        "outbox: holds a record that cannot be read",
    ),
    "an outcome that is none": ("ledger", "UPDATE jobs SET outcome = x'5b'", "jobs: holds a record"),
    "a text where bytes belong": ("ledger", "UPDATE jobs SET message = 'x'", "message is str"),
    "a number that is none": ("ledger", "UPDATE batches SET created_at = 9e999", "created_at is no number"),
    "pictures without a number": ("ledger", "UPDATE batches SET quantity = -5", "quantity is -5"),
    "a client that no row is of": ("ledger", "PRAGMA foreign_keys=OFF; DELETE FROM batches", "cannot be brought"),
    "a state that there is not": (
        "ledger",
        "PRAGMA ignore_check_constraints=ON; UPDATE batches SET state = 'x'",
        "cannot be brought",
    ),
    "a number that only SQLite keeps": (
        "ledger",
        "UPDATE attempts SET seed = 1; UPDATE jobs SET resends = 1 << 40",
        "is",
    ),
    "a text that only SQLite keeps": ("catalogue", "UPDATE images SET prompt = 'a' || char(0)", "prompt has a NUL"),
    "prompts that were never written": (
        "ledger",
        "UPDATE batches SET state = 'running', written = quantity; DELETE FROM prompt_pages",
        "not all of them are there",
    ),
    "a batch that is made from none": (
        "ledger",
        "UPDATE batches SET state = 'running', parent = 'nowhere'",
        "made from nowhere",
    ),
    "a time that no calendar has": ("ledger", "UPDATE batches SET created_at = 1e300", "created_at is 1e+300"),
    "an id that is a word for all": ("ledger", "UPDATE audit SET hash = 'all'", "hash is 'all'"),
    "a table that is not there": ("ledger", "DROP TABLE marks", "no such table: marks"),
}


async def made_backup(folder: Path, login: Login) -> Path:
    """A backup of a workshop that made one picture; the home is `folder/home`, the backup `folder/backup`."""
    settings = instant_settings(folder / "home")
    order = GenerateImages(brief="a mug", platform="pocket", requirements=Requirements(quantity=1))
    async with asyncio.timeout(60), served(settings, login) as client:
        plan = await client.request(order, "local")
        assert isinstance(plan, GenerationPlan)
        assert plan.hash is not None
        async for status in client.watch_status("local", plan.hash):
            if status.generation_status.completed:
                break
    await asyncio.to_thread(write_backup, folder / "backup", databases(settings))
    return folder / "backup"


def seal(backup: Path) -> None:
    """Make the manifest say of changed databases what they are."""
    manifest = json.loads((backup / MANIFEST).read_text())
    for name, part in manifest["databases"].items():
        data = (backup / f"{name}.db").read_bytes()
        part |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (backup / MANIFEST).write_text(json.dumps(manifest))


def change(backup: Path, target: Path, database: str, statements: str) -> Path:
    """A copy of a backup with a database changed, and a manifest that says so."""
    shutil.copytree(backup, target)
    with closing(sqlite3.connect(target / f"{database}.db")) as connection:
        connection.executescript(statements)
    seal(target)
    return target


async def test_no_change_to_a_backup_gets_further_than_its_check(tmp_path: Path, login: Login) -> None:
    backup = await made_backup(tmp_path, login)
    settings = instant_settings(tmp_path / "after")
    wrong: dict[str, str] = {}
    for number, (name, (database, statements, said)) in enumerate(CHANGES.items()):
        changed = change(backup, tmp_path / f"changed-{number}", database, statements)
        try:
            await asyncio.to_thread(restore_records, changed, settings, False)
            wrong[name] = "restored"
        except Failure as refused:
            if said not in str(refused) or "another backup" not in str(refused.body.hint):
                wrong[name] = str(refused)
        if (settings.home / "ledger.db").exists() or (settings.home / "catalogue.db").exists():
            wrong[name] = "left a database"
    assert wrong == {}
    await asyncio.to_thread(restore_records, backup, settings, False)


async def test_what_a_backups_schema_would_compute_is_left_behind(tmp_path: Path, login: Login) -> None:
    backup = await made_backup(tmp_path, login)
    changed = change(backup, tmp_path / "slow", "ledger", "PRAGMA foreign_keys=OFF;" + SLOW_CHECK)
    rows = await asyncio.to_thread(restore_records, changed, instant_settings(tmp_path / "ho#me"), False)
    assert rows["ledger"]["jobs"] == 1


async def test_a_manifest_that_is_a_pipe_and_a_database_that_grew_are_refused_without_being_read(
    tmp_path: Path, login: Login
) -> None:
    backup = await made_backup(tmp_path, login)
    settings = instant_settings(tmp_path / "after")
    os.truncate(backup / "ledger.db", 2**40)  # a hole: it takes no room until somebody copies it
    with pytest.raises(Failure, match="it has 1099511627776 bytes"):
        await asyncio.to_thread(restore_records, backup, settings, False)
    (backup / MANIFEST).unlink()
    os.mkfifo(backup / MANIFEST)
    with pytest.raises(Failure, match="is no backup"):
        await asyncio.to_thread(restore_records, backup, settings, False)


async def test_pictures_of_a_backup_lie_below_this_home_whatever_its_ledger_says(tmp_path: Path, login: Login) -> None:
    backup = await made_backup(tmp_path, login)
    secret = tmp_path / "secret.png"
    (filed,) = [path for path in (tmp_path / "home" / "pictures").rglob("*.png") if path.name != "contact_sheet.png"]
    shutil.copyfile(filed, secret)
    told_of = f"json_replace(outcome, '$.path', '{secret}', '$.url', 'file://{secret}')"
    elsewhere = f"UPDATE jobs SET outcome = CAST({told_of} AS BLOB)"
    changed = change(backup, tmp_path / "changed", "ledger", elsewhere)
    settings = instant_settings(tmp_path / "after")
    await asyncio.to_thread(restore_records, changed, settings, False)
    with closing(sqlite3.connect(settings.home / "ledger.db")) as ledger:
        ((batch, outcome),) = ledger.execute("SELECT hash, outcome FROM jobs").fetchall()
    told = json.loads(outcome)
    assert told["path"] == str(settings.pictures / filed.relative_to(tmp_path / "home" / "pictures"))
    assert told["url"] == Path(told["path"]).as_uri()

    with closing(sqlite3.connect(settings.home / "ledger.db")) as ledger:  # as a ledger restored by other means may be
        ledger.execute("UPDATE jobs SET outcome = CAST(json_replace(outcome, '$.path', ?) AS BLOB)", (str(secret),))
        ledger.commit()
    again = GenerateImages(
        brief="a mug",
        hold=True,
        platform="pocket",
        init_image=ImageSource(image_id=f"{batch}_000000"),
        requirements=Requirements(quantity=1),
    )
    async with asyncio.timeout(60), served(settings, login, ("planner", "prompt", "generator")) as client:
        plan = await client.request(again, "local")
        assert isinstance(plan, GenerationPlan)
        assert plan.generation_plan.refusal is not None
        assert plan.generation_plan.refusal.code == "pixels_missing"
    assert not any(path.read_bytes() == secret.read_bytes() for path in settings.blobs.glob("??/*"))
