"""QA judges pictures."""
