"""Whose picture is next, and the work that is handed out for it."""
