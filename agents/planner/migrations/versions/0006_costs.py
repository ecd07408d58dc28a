"""What is asked about costs: the model of a charge, and whether its picture was completed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("spend", sa.Column("model", sa.Text))
    op.create_index("audit_by_picture", "audit", ["hash", "index"])
    op.drop_index("audit_by_batch", "audit")


def downgrade() -> None:
    op.create_index("audit_by_batch", "audit", ["hash"])
    op.drop_index("audit_by_picture", "audit")
    op.drop_column("spend", "model")
