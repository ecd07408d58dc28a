"""The databases of version 0.1.0, made from their dumps."""

import sqlite3
from pathlib import Path

FOLDER = Path(__file__).parent


def restored(name: str, folder: Path) -> str:
    """The URL of a database that was dumped."""
    file = folder / f"{name}.db"
    with sqlite3.connect(file) as database:
        database.executescript((FOLDER / f"{name}.sql").read_text())
    database.close()
    return f"sqlite:///{file}"
