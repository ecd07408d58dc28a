"""Where the pictures of restored records lie: below the pictures' folder of this home, by the catalogue's relative
paths. Absolute paths of a backup are those of another home, or whatever its writer liked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agents.planner.ledger.records import decode_outcome
from agents.shared.database.copying import PAGE_SIZE
from agents.storage import names
from agents.storage.contact_sheet import SHEET_NAME
from protocol.ids import image_id

_JOBS = 'SELECT hash, "index", outcome FROM jobs WHERE outcome IS NOT NULL AND (hash, "index") > (?, ?) ORDER BY 1, 2'


def move_paths(ledger: Path, catalogue: Path, pictures: Path) -> None:
    """Rewrite the files that jobs and batches of a ledger name, in the database file itself. A picture that the
    catalogue does not know has no file."""
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("ATTACH ? AS filed", (str(catalogue),))
        for page in _pages_of_jobs(connection):
            connection.executemany(
                'UPDATE jobs SET outcome = ? WHERE hash = ? AND "index" = ?',
                [(_moved(connection, name, index, data, pictures), name, index) for name, index, data in page],
            )
        sheets = connection.execute(
            "SELECT hash, client_id, contact_sheet FROM batches WHERE contact_sheet <> ''"
        ).fetchall()
        connection.executemany(
            "UPDATE batches SET contact_sheet = ? WHERE hash = ?",
            [
                (str(pictures / names.batch_folder(client, name) / SHEET_NAME), name)
                for name, client, sheet in sheets
                if sheet != names.sheet_key(client, name)
            ],
        )
        connection.commit()


def _pages_of_jobs(connection: sqlite3.Connection) -> Iterator[list[tuple[str, int, bytes]]]:
    after = ("", -1)
    while page := connection.execute(f"{_JOBS} LIMIT {PAGE_SIZE}", after).fetchall():
        yield page
        after = page[-1][:2]


def _moved(connection: sqlite3.Connection, batch: str, index: int, data: bytes, pictures: Path) -> bytes:
    """An outcome with its file where it lies in this home."""
    outcome = decode_outcome(data)
    if outcome.key is None:
        return msgspec.json.encode(replace(outcome, path=None, url=None))
    found = connection.execute(
        "SELECT path, blob FROM filed.images WHERE image_id = ?", (image_id(batch, index),)
    ).fetchone()
    path, blob = found or (None, None)
    file = pictures / path if path is not None else None
    url = file.as_uri() if file is not None else f"urn:sha256:{blob}" if blob else None
    return msgspec.json.encode(replace(outcome, path=None if file is None else str(file), url=url))
