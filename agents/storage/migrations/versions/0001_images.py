"""The table of stored pictures."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table and the indices that searches use."""
    op.create_table(
        "images",
        sa.Column("image_id", sa.String(128), primary_key=True),
        sa.Column("client", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("disposition", sa.String(16), nullable=False),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("blob", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("negative_prompt", sa.Text, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("model_version", sa.Text),
        sa.Column("sampler", sa.Text, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("guidance", sa.Float, nullable=False),
        sa.Column("section", sa.Text),
        sa.Column("style", sa.Text),
        sa.Column("score", sa.Float),
        sa.Column("colour", sa.String(32)),
        sa.Column("embedding", sa.LargeBinary),
        sa.Column("signature", sa.LargeBinary),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
        sa.UniqueConstraint("hash", "index", name="uq_images_hash_index"),
    )
    op.create_index("ix_images_client_created_at", "images", ["client", "created_at"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("images")
