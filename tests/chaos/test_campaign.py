"""A short campaign leaves everything in order, and the checker would have noticed if it had not.

One workshop is mistreated once for all tests of this file; each looks at a copy of what it left behind.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.campaign import ALONE, BRISK, Outcome, armed, campaign, inflicting
from tests.chaos.checker import Found, check, store_holds_what_is_named
from tests.chaos.schedule import POINTS, Fault, arms
from tests.chaos.workshop import Workshop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 11
MEMBERS = [f"{role}-0" for role in ALONE]
CHOSEN = ("P3", "P4", "R2", "G3", "G5", "Q2", "S2", "S4", "S5")
FAULTS = (
    Fault("wipe", "nats", gap=3),
    Fault("cut", "generator-0", gap=3, seconds=0.5),
    Fault("kill", "storage-0", gap=3),
    Fault("repeat", "all", gap=2),
    Fault("server", "nats", gap=2),
)


async def short_misery(shop: Workshop, outcome: Outcome) -> None:
    """Failpoints in every role, then a wiped store, a cut line, a kill, everything said twice, a killed server."""
    await armed(120)(shop, outcome)
    await inflicting(FAULTS, 120)(shop, outcome)


@pytest.fixture(scope="module")
def mistreated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """The home of a workshop after a short campaign, and the campaign's outcome."""
    home = tmp_path_factory.mktemp("home")
    points = {name: point for name, point in POINTS.items() if name.split()[0] in CHOSEN}
    lives = arms(SEED, 1, MEMBERS, points)
    outcome = asyncio.run(campaign(home, SEED, short_misery, crew=ALONE, settings=BRISK, arm=lives, end_s=60))
    return home, outcome


def test_nothing_is_lost_nothing_is_doubled_and_nothing_is_left_over(mistreated: tuple[Path, Outcome]) -> None:
    _, outcome = mistreated

    assert outcome.problems == []
    assert outcome.counts["completed"] > 20


def test_every_failpoint_was_met_and_every_fault_happened(mistreated: tuple[Path, Outcome]) -> None:
    _, outcome = mistreated

    assert set(outcome.failpoints) == {
        f"{role} {point}=kill" for name, (role, point, _) in POINTS.items() if name.split()[0] in CHOSEN
    }
    assert {fault.kind for fault in FAULTS} <= set(outcome.done)
    assert outcome.recoveries["death"]


def ledger(statement: str) -> Callable[[Path], None]:
    def damage(home: Path) -> None:
        with closing(sqlite3.connect(home / "ledger.db")) as connection, connection:
            assert connection.execute(statement).rowcount > 0

    return damage


def catalogue(statement: str) -> Callable[[Path], None]:
    def damage(home: Path) -> None:
        with closing(sqlite3.connect(home / "catalogue.db")) as connection, connection:
            assert connection.execute(statement).rowcount > 0

    return damage


def a_picture(home: Path) -> Path:
    return next(path for path in (home / "pictures").rglob("*.png") if path.name != "contact_sheet.png")


def half_a_picture(home: Path) -> None:
    path = a_picture(home)
    path.write_bytes(path.read_bytes()[:-40])


def no_sidecar(home: Path) -> None:
    a_picture(home).with_suffix(".json").unlink()


def a_picture_twice(home: Path) -> None:
    path = a_picture(home)
    shutil.copy(path, path.with_stem(f"{path.stem}_1"))


def no_blob(home: Path) -> None:
    next(path for path in (home / "blobs").rglob("*") if path.is_file()).unlink()


ONE = "SELECT rowid FROM jobs WHERE state = 'completed' LIMIT 1"


def test_the_checker_notices_a_blob_that_upkeep_left(mistreated: tuple[Path, Outcome], tmp_path: Path) -> None:
    home, _ = mistreated
    damaged = tmp_path / "home"
    shutil.copytree(home, damaged, ignore=shutil.ignore_patterns("nats"))
    assert store_holds_what_is_named(Found.read(damaged)) == []
    for left in (damaged / "blobs" / "00" / ("0" * 64), damaged / "blobs" / ".partial" / "half"):
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"pixels")
        assert [found[:2] for found in store_holds_what_is_named(Found.read(damaged))] == ["I3"]
        left.unlink()


@pytest.mark.parametrize(
    ("damage", "noticed"),
    [
        (ledger(f"UPDATE jobs SET state = 'running', stage = 'qa' WHERE rowid IN ({ONE})"), "I1"),
        (ledger(f"UPDATE jobs SET state = 'failed', outcome = NULL WHERE rowid IN ({ONE})"), "I1"),
        (ledger(f"DELETE FROM jobs WHERE rowid IN ({ONE})"), "I1"),
        (ledger("UPDATE batches SET quantity = quantity + 1"), "I1"),
        (ledger("UPDATE attempts SET seed = seed + 1"), "I2"),
        (ledger("UPDATE commands SET command_id = command_id || 'x'"), "I8"),
        (catalogue("DELETE FROM images WHERE rowid IN (SELECT rowid FROM images LIMIT 1)"), "I2"),
        (catalogue("UPDATE images SET width = width + 1"), "I2"),
        (half_a_picture, "I2"),
        (no_blob, "I2"),
        (no_sidecar, "I3"),
        (a_picture_twice, "I3"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_checker_notices(
    mistreated: tuple[Path, Outcome], tmp_path: Path, damage: Callable[[Path], None], noticed: str
) -> None:
    home, outcome = mistreated
    damaged = tmp_path / "home"
    shutil.copytree(home, damaged, ignore=shutil.ignore_patterns("nats"))
    move = ledger(f"UPDATE jobs SET outcome = replace(CAST(outcome AS TEXT), '{home}/', '{damaged}/')")
    move(damaged)
    answers = {row["command_id"]: {row["hash"]} for row in Found.read(damaged).commands}
    assert check(Found.read(damaged), answers) == []

    damage(damaged)

    assert noticed in {problem.split(":")[0] for problem in check(Found.read(damaged), answers)}
    assert outcome.problems == []
