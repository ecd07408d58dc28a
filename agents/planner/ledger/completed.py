"""Which pictures the ledger calls completed, for a comparison with what is filed."""

from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.states import JobState
from agents.planner.ledger.tables import jobs

ROWS_PER_READ = 1000


def completed_pictures(connection: Connection, since: float) -> Iterator[tuple[str, int]]:
    """(hash of the batch, index) of every picture that was completed since a time."""
    query = sa.select(jobs.c.hash, jobs.c.index).where(jobs.c.state == JobState.COMPLETED, jobs.c.updated_at >= since)
    with connection.execution_options(yield_per=ROWS_PER_READ).execute(query) as rows:
        for row in rows:
            yield row[0], row[1]
