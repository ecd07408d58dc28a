"""Runs the catalogue's revisions on the connection that the agent opened."""

from agents.shared.database.migration_env import run

run()
