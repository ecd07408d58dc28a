"""Pure module: the states of what the ledger counts."""

PROMPTS_PER_PAGE = 100
"""Prompts asked for at once; a page of the longest prompts stays below the broker's 1 MB."""


ACTIVE_BATCH_STATES = ("held", "running", "paused")
"""States of a batch that has not ended."""
