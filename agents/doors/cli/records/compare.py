"""Do ledger, catalogue and files agree? What `bottega doctor` says of it, also while the workshop runs."""

import time
from pathlib import Path

from msgspec import Struct

from agents.doors.cli.records.databases import databases
from agents.planner.ledger.completed import completed_pictures
from agents.shared.contained_path import contained_path
from agents.shared.database.copying import OtherRevision, open_snapshots
from agents.shared.settings import Settings
from agents.storage.inventory import catalogued_pictures, picture_files

GRACE_S = 600.0
"""A file younger than this may be on its way into the catalogue."""

DAY_S = 86_400.0


class Inventory(Struct, frozen=True, kw_only=True):
    """`pictures` are rows of the catalogue; `lost` are completed pictures without a row, `missing` rows without their
    file, `unknown` files without a row. `unledgered` are pictures beside a ledger that knows of none, where it forgets
    nothing by itself."""

    pictures: int
    lost: int
    missing: int
    unknown: int
    unledgered: int = 0


def take_inventory(settings: Settings) -> Inventory | None:
    """Compare everything; null where there is nothing to compare. Names are remembered as hashes: 100 bytes a picture.

    Pictures that were completed longer ago than they are retained are not looked for.
    """
    now = time.time()
    since = now - settings.retain_days * DAY_S if settings.retain_days is not None else 0.0
    forgets_nothing = settings.retain_days is None and settings.retain_ledger_days is None
    files = [hash(path) for path in picture_files(settings.pictures, now - GRACE_S)]
    try:
        with open_snapshots(databases(settings)) as [ledger, catalogue]:
            done = [hash(picture) for picture in completed_pictures(ledger, since)]
            rows = [(hash((name, index)), path) for name, index, path in catalogued_pictures(catalogue)]
    except OtherRevision as error:
        if error.found is None and error.database.name == "ledger" and files and forgets_nothing:
            return Inventory(pictures=0, lost=0, missing=0, unknown=0, unledgered=len(files))
        return None
    places, paths = {place for place, _ in rows}, {hash(path) for _, path in rows}
    return Inventory(
        pictures=len(rows),
        lost=sum(picture not in places for picture in done),
        missing=sum(path is not None and not _is_file(settings.pictures, path) for _, path in rows),
        unknown=sum(path not in paths for path in files),
        unledgered=len(rows) if forgets_nothing and not done else 0,
    )


def _is_file(pictures: Path, name: str) -> bool:
    path = contained_path(pictures, name)
    return path is not None and path.is_file()
