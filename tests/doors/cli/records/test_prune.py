"""`bottega prune` counts what would go, and removes it."""

import json

import pytest

from tests.doors.cli.conftest import Home

AT_ONCE = {"BOTTEGA_RETAIN_BLOBS_HOURS": "0"}


@pytest.mark.slow
def test_what_a_dry_run_counts_is_removed_by_the_next_run_and_gone_after_it(home: Home) -> None:
    made = home.run("generate", "a mug", "-n", "2", "--platform", "pocket")
    assert made.returncode == 0, made.stderr
    blobs = [path for path in (home.folder / "blobs").rglob("*") if path.is_file()]
    counted = {"dry_run": True, "blobs": 2, "blob_bytes": sum(path.stat().st_size for path in blobs)}
    counted |= {"pictures": 0, "picture_bytes": 0, "batches": 0}

    assert json.loads(home.run("prune", "--json", "--dry-run").stdout)["blobs"] == 0
    assert json.loads(home.run("prune", "--json", "--dry-run", **AT_ONCE).stdout) == counted
    assert json.loads(home.run("prune", "--json", **AT_ONCE).stdout) == counted | {"dry_run": False}
    assert not any(path.is_file() for path in (home.folder / "blobs").rglob("*"))
    assert json.loads(home.run("prune", "--json", **AT_ONCE).stdout)["blobs"] == 0


def test_where_no_workshop_ever_ran_nothing_is_removed_and_nothing_made(home: Home) -> None:
    said = home.run("prune", BOTTEGA_RETAIN_DAYS="30", BOTTEGA_RETAIN_LEDGER_DAYS="30")
    assert (said.returncode, "0 pictures" in said.stdout) == (0, True)
    assert not home.folder.exists()
