"""A picture may be in the blob store alone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Let a row have no path."""
    with op.batch_alter_table("images") as table:
        table.alter_column("path", existing_type=sa.Text(), nullable=True)


def downgrade() -> None:
    """Give every row a path again, an empty one where it has none."""
    op.execute("UPDATE images SET path = '' WHERE path IS NULL")
    with op.batch_alter_table("images") as table:
        table.alter_column("path", existing_type=sa.Text(), nullable=False)
