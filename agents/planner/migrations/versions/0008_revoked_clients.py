"""A client may be revoked."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    _replace_check("state IN ('active', 'suspended', 'revoked')")


def downgrade() -> None:
    op.execute("UPDATE clients SET state = 'suspended' WHERE state = 'revoked'")
    _replace_check("state IN ('active', 'suspended')")


def _replace_check(condition: str) -> None:
    with op.batch_alter_table("clients") as change:
        change.drop_constraint("clients_state", type_="check")
        change.create_check_constraint("clients_state", condition)
