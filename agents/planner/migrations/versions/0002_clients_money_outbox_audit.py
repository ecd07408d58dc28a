"""Clients, reservations, intents, spend, outbox, audit; what batches and jobs need for priority, budget and parents."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "clients",
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("limit_micros", sa.BigInteger),
        sa.Column("held_micros", sa.BigInteger, nullable=False),
        sa.Column("spent_micros", sa.BigInteger, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("max_in_flight", sa.Integer),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.execute(
        "INSERT INTO clients (client_id, state, held_micros, spent_micros, weight, created_at, updated_at) "
        "SELECT client_id, 'active', 0, 0, 1, min(created_at), max(updated_at) FROM batches GROUP BY client_id"
    )
    op.add_column("batches", sa.Column("priority", sa.String(16), nullable=False, server_default="batch"))
    op.add_column("batches", sa.Column("budget_micros", sa.BigInteger))
    op.add_column("batches", sa.Column("parent", sa.String(64)))
    op.add_column("batches", sa.Column("not_before", sa.Float))
    op.add_column("batches", sa.Column("deadline", sa.Float))
    op.add_column("jobs", sa.Column("parent", sa.String(128)))
    op.add_column("jobs", sa.Column("reused", sa.String(128)))
    op.create_table(
        "reservations",
        sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
        sa.Column("client_id", sa.String(64), sa.ForeignKey("clients.client_id"), nullable=False),
        sa.Column("amount_micros", sa.BigInteger, nullable=False),
        sa.Column("settled_micros", sa.BigInteger, nullable=False),
        sa.Column("released_micros", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
    )
    op.create_table(
        "intents",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("max_micros", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("provider_reference", sa.String(256)),
        sa.Column("opened_at", sa.Float, nullable=False),
        sa.Column("closed_at", sa.Float),
    )
    op.create_index("intents_by_state", "intents", ["state", "opened_at"])
    op.create_table(
        "spend",
        sa.Column("id", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("micros", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.UniqueConstraint("hash", "index", "attempt", "kind", name="spend_once"),
    )
    op.create_index("spend_by_client", "spend", ["client_id", "at"])
    op.create_table(
        "outbox",
        sa.Column("message_id", sa.String(256), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", _COUNTER, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64)),
        sa.Column("index", sa.Integer),
        sa.Column("what", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("audit_by_client", "audit", ["client_id", "at"])
    op.create_index("audit_by_batch", "audit", ["hash"])


def downgrade() -> None:
    for table in ("audit", "outbox", "spend", "intents", "reservations"):
        op.drop_table(table)
    for table, columns in (
        ("jobs", ("reused", "parent")),
        ("batches", ("deadline", "not_before", "parent", "budget_micros", "priority")),
    ):
        with op.batch_alter_table(table) as change:
            for column in columns:
                change.drop_column(column)
    op.drop_table("clients")
