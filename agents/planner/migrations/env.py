"""Alembic environment of the planner's ledger."""

from agents.shared.database.migration_env import run

run()
