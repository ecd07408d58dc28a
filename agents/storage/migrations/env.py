"""Runs the catalogue's revisions on the connection that the agent opened."""

from agents.database.migration_env import run

run()
