"""What decides a picture's pixels, as one digest, so that it is found again. Rows from before have none."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column, and an index of the rows that have a value in it."""
    op.add_column("images", sa.Column("digest", sa.String(64)))
    known = sa.text("digest IS NOT NULL")
    op.create_index(
        "ix_images_client_digest", "images", ["client", "digest"], sqlite_where=known, postgresql_where=known
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_images_client_digest", "images")
    with op.batch_alter_table("images") as table:
        table.drop_column("digest")
