"""Inserting a row that may be there already."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert


def insert_once(table: sa.Table) -> sa.Insert:
    """An insert that leaves an existing row with the same key as it is. `rowcount` tells which happened, because no key
    is asked for in return. SQLite spells it as PostgreSQL does."""
    return insert(table).on_conflict_do_nothing().inline().execution_options(preserve_rowcount=True)


def insert_newest(table: sa.Table, *columns: sa.Column[Any]) -> sa.Insert:
    """An insert that gives an existing row with the same key the values of these columns alone."""
    adding = insert(table)
    changed = {column.name: adding.excluded[column.name] for column in columns}
    return adding.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed).inline()
