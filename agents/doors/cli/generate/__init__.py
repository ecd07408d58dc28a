"""`bottega generate`."""
