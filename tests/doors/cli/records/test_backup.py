"""`bottega backup` and `bottega restore`: what they write, what they refuse, what is left when they are killed."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from agents.doors.cli.records.databases import MANIFEST, databases
from agents.shared.settings import Settings
from bus.server import EmbeddedServer
from tests.doors.cli.conftest import ANSWER_S, BOTTEGA, Home, environment_of, line_with


@pytest.fixture
def at_rest(home: Home) -> Home:
    """A home with a batch of two pictures, where nothing runs."""
    made = home.run("generate", "a mug", "-n", "2", "--platform", "pocket")
    assert made.returncode == 0, made.stderr
    return home


def rows(file: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
def test_a_backup_says_what_is_in_it_and_is_restored_where_there_is_nothing(at_rest: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    made = at_rest.run("backup", str(backup), "--json")
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert said["folder"] == str(backup)
    assert said["manifest"] == json.loads((backup / MANIFEST).read_text())
    assert said["manifest"]["databases"]["catalogue"]["rows"] == {"images": 2}
    fresh = Home(tmp_path / "fresh")
    restored = fresh.run("restore", str(backup), "--json")
    assert restored.returncode == 0, restored.stderr
    assert json.loads(restored.stdout)["rows"]["ledger"]["jobs"] == 2
    assert rows(fresh.folder / "ledger.db", "SELECT state FROM jobs") == [("completed",)] * 2


@pytest.mark.slow
def test_what_cannot_be_restored_is_refused_and_changes_nothing(at_rest: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    assert at_rest.run("backup", str(backup)).returncode == 0

    again = at_rest.run("backup", str(backup))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    full = at_rest.run("restore", str(backup))
    assert (full.returncode, "--force" in full.stderr) == (2, True)
    none = at_rest.run("restore", str(tmp_path), "--force")
    assert (none.returncode, "is no backup" in none.stderr) == (2, True)
    with at_rest.start("up") as up:
        line_with(up, "workshop ready at")
        running = at_rest.run("restore", str(backup), "--force")
        assert (running.returncode, "runs in" in running.stderr) == (2, True)
        up.terminate()
        assert up.wait(timeout=ANSWER_S) == 0
    newer = shutil.copytree(backup, tmp_path / "newer")
    manifest = json.loads((newer / MANIFEST).read_text())
    manifest["databases"]["ledger"]["revision"] = "9999"
    (newer / MANIFEST).write_text(json.dumps(manifest))
    refused = at_rest.run("restore", str(newer), "--force")
    assert (refused.returncode, "newer than this version" in refused.stderr) == (2, True)
    with (backup / "catalogue.db").open("r+b") as file:
        file.write(b"damage")
    broken = at_rest.run("restore", str(backup), "--force")
    assert (broken.returncode, "is damaged" in broken.stderr) == (2, True)
    assert rows(at_rest.folder / "ledger.db", "SELECT count(*) FROM jobs") == [(2,)]


@pytest.mark.slow
async def test_a_restore_is_refused_where_nobody_may_look_who_works(
    workshop_server: EmbeddedServer, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    done = await asyncio.to_thread(home.run, "restore", str(tmp_path), BOTTEGA_NATS_URL=workshop_server.url)
    assert (done.returncode, "refuses these credentials" in done.stderr) == (3, True)


def test_there_is_nothing_to_back_up_where_no_workshop_ever_ran(home: Home, tmp_path: Path) -> None:
    refused = home.run("backup", str(tmp_path / "backup"))
    assert (refused.returncode, "no ledger to back up" in refused.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["backup.copied", "backup.written"])
def test_a_backup_that_was_killed_leaves_nothing_that_restore_takes_and_is_made_anew(
    at_rest: Home, tmp_path: Path, point: str
) -> None:
    folder = tmp_path / "backups"
    command = [*BOTTEGA, "backup", str(folder / "today")]
    killed = environment_of(at_rest.folder, BOTTEGA_FAILPOINT=f"{point}=kill")
    assert subprocess.run(command, env=killed, capture_output=True, timeout=ANSWER_S).returncode == -9
    assert not (folder / "today").exists()
    made = subprocess.run(command, env=environment_of(at_rest.folder), capture_output=True, timeout=ANSWER_S)
    assert made.returncode == 0, made.stderr
    assert [path.name for path in folder.iterdir()] == ["today"]


@pytest.mark.slow
def test_a_restore_that_was_killed_halfway_is_finished_by_the_next(at_rest: Home, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    assert at_rest.run("backup", str(backup)).returncode == 0
    fresh = tmp_path / "fresh"
    command = [*BOTTEGA, "restore", str(backup)]
    killed = environment_of(fresh, BOTTEGA_FAILPOINT="restore.copied=kill")
    assert subprocess.run(command, env=killed, capture_output=True, timeout=ANSWER_S).returncode == -9
    assert not (fresh / "ledger.db").exists()
    assert Home(fresh).run("restore", str(backup), "--force").returncode == 0
    assert rows(fresh / "ledger.db", "SELECT count(*) FROM jobs") == [(2,)]
    assert not (fresh / ".restore").exists()


def test_the_catalogue_is_read_after_the_ledger(tmp_path: Path) -> None:
    assert [one.name for one in databases(Settings(home=tmp_path))] == ["ledger", "catalogue"]
