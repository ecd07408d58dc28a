"""Supervisor: one workshop per home folder; starts the bus and the five agents, and keeps them running."""
