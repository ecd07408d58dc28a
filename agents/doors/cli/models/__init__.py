"""`bottega models`."""
