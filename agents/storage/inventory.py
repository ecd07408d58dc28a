"""Which pictures the catalogue has, and which files lie there, for a comparison of the two."""

from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.storage.atomic_files import PARTIAL_FOLDER
from agents.storage.catalogue import images
from agents.storage.contact_sheet import SHEET_NAME

PAGE_SIZE = 1000


def catalogued_pictures(connection: Connection) -> Iterator[tuple[str, int, str | None]]:
    """(hash of the batch, index, path below the pictures' folder or null) of every row."""
    query = sa.select(images.c.hash, images.c["index"], images.c.path)
    for row in connection.execution_options(yield_per=PAGE_SIZE).execute(query):
        yield row[0], row[1], row[2]


def picture_files(pictures: Path, before: float) -> Iterator[str]:
    """Paths below the pictures' folder of every picture that was written before a time."""
    for path in pictures.rglob("*.png"):
        inner = path.relative_to(pictures)
        if path.name != SHEET_NAME and inner.parts[0] != PARTIAL_FOLDER and path.stat().st_mtime < before:
            yield inner.as_posix()
