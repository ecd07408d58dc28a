"""Engines and grouped commits on real SQLite and PostgreSQL."""
