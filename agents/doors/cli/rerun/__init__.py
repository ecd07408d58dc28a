"""`bottega rerun`."""
