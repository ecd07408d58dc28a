"""Beside a page of prompts, the pictures of it that are there already."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("prompt_pages", sa.Column("stored", sa.LargeBinary))


def downgrade() -> None:
    with op.batch_alter_table("prompt_pages") as table:
        table.drop_column("stored")
