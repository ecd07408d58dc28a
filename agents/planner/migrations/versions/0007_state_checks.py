"""The database refuses states that do not exist."""

from alembic import op

revision = "0007"
down_revision = "0006"

_CHECKS = {
    "clients": ("clients_state", "state IN ('active', 'suspended')"),
    "batches": ("batches_state", "state IN ('held', 'running', 'paused', 'completed', 'cancelled')"),
    "jobs": (
        "jobs_state_and_stage",
        "state = 'running' AND stage IN ('generator', 'qa', 'storage')"
        " OR state = 'cancelling' AND stage IN ('generator', 'qa', 'storage')"
        " OR state = 'waiting' AND stage IN ('queue')"
        " OR state = 'completed' AND stage IN ('done')"
        " OR state = 'failed' AND stage IN ('done')"
        " OR state = 'cancelled' AND stage IN ('done')",
    ),
    "attempts": ("attempts_state", "state IN ('running', 'accepted', 'rejected', 'failed')"),
    "reservations": ("reservations_state", "state IN ('open', 'closed')"),
    "intents": ("intents_state", "state IN ('open', 'captured', 'refused', 'ambiguous', 'resolved')"),
}


def upgrade() -> None:
    # Rows that no code of this version writes, and that must not keep a ledger from being opened.
    op.execute("UPDATE clients SET state = 'active' WHERE state = 'limited'")
    op.execute("UPDATE jobs SET stage = 'queue' WHERE state = 'waiting' AND stage <> 'queue'")
    op.execute("UPDATE jobs SET stage = 'done' WHERE state IN ('completed', 'failed', 'cancelled') AND stage <> 'done'")
    for table, (name, condition) in _CHECKS.items():
        with op.batch_alter_table(table) as change:
            change.create_check_constraint(name, condition)


def downgrade() -> None:
    for table, (name, _) in _CHECKS.items():
        with op.batch_alter_table(table) as change:
            change.drop_constraint(name, type_="check")
