"""Pictures and catalogues that a command brings, read before planning."""
