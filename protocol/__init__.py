"""ACP, the agents' protocol: what is said. Installs alone, with msgspec and zstandard only."""
