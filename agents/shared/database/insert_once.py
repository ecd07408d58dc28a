"""Inserting a row that may be there already."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert


def insert_once(table: sa.Table) -> sa.Insert:
    """An insert that leaves an existing row with the same key as it is. `rowcount` tells which happened, because no key
    is asked for in return. SQLite spells it as PostgreSQL does."""
    return insert(table).on_conflict_do_nothing().inline().execution_options(preserve_rowcount=True)
