"""What the ledger knows of the time of pictures. Each function runs inside a transaction."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.records import decode_evidence
from agents.planner.ledger.tables import attempts, batches
from agents.planner.planning.measured_pictures import MeasuredPicture

MAX_BATCHES = 50
"""Newest batches that are looked at."""

MAX_PICTURES = 8
"""Pictures of each of them: enough for a median, and one large batch does not stand for all."""


def newest_pictures(connection: Connection) -> list[MeasuredPicture]:
    """Pictures that were made of late, those of the newest batches first. Reused ones took no time."""
    newest = sa.select(batches.c.hash).order_by(batches.c.created_at.desc(), batches.c.hash).limit(MAX_BATCHES)
    return [picture for name in connection.execute(newest).scalars().all() for picture in _pictures(connection, name)]


def _pictures(connection: Connection, batch: str) -> Iterable[MeasuredPicture]:
    found = connection.execute(
        sa.select(attempts.c.evidence)
        .where(attempts.c.hash == batch, attempts.c.seconds > 0, attempts.c.evidence.is_not(None))
        .limit(MAX_PICTURES)
    ).scalars()
    for evidence in map(decode_evidence, found):
        yield MeasuredPicture(evidence.job.pixels, evidence.picture.seconds, evidence.picture.stages)
