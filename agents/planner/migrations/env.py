"""Alembic environment of the planner's ledger."""

from agents.database.migration_env import run

run()
