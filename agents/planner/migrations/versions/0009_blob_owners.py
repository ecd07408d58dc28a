"""Whose pixels a blob has; of pictures that were made, as their attempts say. And how much a client has going, found
by its name and their states."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_PAGE = 1000


def upgrade() -> None:
    owners = op.create_table(
        "blob_owners",
        sa.Column("blob", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("batches_by_client_state", "batches", ["client_id", "state"])
    connection = op.get_bind()
    known: set[tuple[str, str]] = set()
    made = sa.text(
        "SELECT batches.client_id, attempts.evidence, batches.updated_at FROM attempts "
        "JOIN batches ON batches.hash = attempts.hash WHERE attempts.evidence IS NOT NULL"
    )
    for page in connection.execute(made).partitions(_PAGE):
        rows: list[dict[str, object]] = []
        for client, evidence, at in page:
            blob = _blob_in(bytes(evidence))
            if blob is not None and (client, blob) not in known:
                known.add((client, blob))
                rows.append({"client_id": client, "blob": blob, "at": at})
        if rows:
            connection.execute(sa.insert(owners), rows)


def _blob_in(evidence: bytes) -> str | None:
    """The pixels that an attempt ended with; null where nobody can read that."""
    try:
        return str(json.loads(evidence)["picture"]["blob"])
    except (ValueError, KeyError, TypeError):
        return None


def downgrade() -> None:
    op.drop_index("batches_by_client_state", "batches")
    op.drop_table("blob_owners")
