"""What a person hears of records and files that do not agree."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agents.doors.cli.records.compare import Inventory, take_inventory
from agents.shared.settings import Settings
from tests.doors.cli.conftest import Home

AGREED = Inventory(pictures=3, lost=0, missing=0, unknown=0)


@pytest.mark.slow
def test_each_disagreement_between_ledger_catalogue_and_files_is_counted(home: Home) -> None:
    assert home.run("generate", "a mug", "-n", "3", "--platform", "pocket").returncode == 0
    settings = Settings(home=home.folder)
    assert take_inventory(settings) == AGREED

    first, second, third = sorted(path for path in settings.pictures.rglob("*.png") if path.name != "contact_sheet.png")
    first.unlink()
    os.utime(third, (1000.0, 1000.0))
    with closing(sqlite3.connect(home.folder / "catalogue.db")) as catalogue, catalogue:
        catalogue.execute("DELETE FROM images WHERE path LIKE ?", (f"%{third.name}",))
    assert take_inventory(settings) == Inventory(pictures=2, lost=1, missing=1, unknown=1)
    assert second.is_file()

    checks = json.loads(home.run("doctor", "--json").stdout)["checks"]
    (records,) = [check for check in checks if check["name"] == "records"]
    assert records["state"] == "warning"
    assert records["detail"].count("1 ") == 3


def test_where_no_workshop_ever_ran_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert take_inventory(Settings(home=tmp_path)) is None
