"""The ledger: its tables, states and counts, one unit of work per transaction, what it forgets."""
