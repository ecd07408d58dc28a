"""Batches, command ids, prompt pages, jobs and attempts."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("client_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("command", sa.LargeBinary, nullable=False),
        sa.Column("recipe", sa.LargeBinary, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("cursor", sa.Integer, nullable=False),
        sa.Column("written", sa.Integer, nullable=False),
        sa.Column("tally", sa.LargeBinary, nullable=False),
        sa.Column("approval", sa.String(64)),
        sa.Column("expires_at", sa.Float),
        sa.Column("contact_sheet", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
    )
    op.create_index("batches_by_client", "batches", ["client_id", "created_at"])
    op.create_index("batches_by_state", "batches", ["state"])
    op.create_table(
        "commands",
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("command_id", sa.String(64), primary_key=True),
        sa.Column("payload", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )
    op.create_table(
        "prompt_pages",
        sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
        sa.Column("first", sa.Integer, primary_key=True),
        sa.Column("prompts", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "jobs",
        sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Column("resends", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Float, nullable=False),
        sa.Column("outcome", sa.LargeBinary),
    )
    op.create_index("jobs_in_flight", "jobs", ["state", "updated_at"])
    op.create_table(
        "attempts",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("index", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("score", sa.Float),
        sa.Column("seconds", sa.Float),
        sa.Column("cost_micros", sa.BigInteger),
        sa.Column("evidence", sa.LargeBinary),
        sa.ForeignKeyConstraint(["hash", "index"], ["jobs.hash", "jobs.index"]),
    )


def downgrade() -> None:
    for table in ("attempts", "jobs", "prompt_pages", "commands", "batches"):
        op.drop_table(table)
