"""The budget of a batch stands in its command alone, which is where it is read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    with op.batch_alter_table("batches") as change:
        change.drop_column("budget_micros")


def downgrade() -> None:
    op.add_column("batches", sa.Column("budget_micros", sa.BigInteger))
