"""Commands about a batch: send it, follow it, change how it goes on, show where it stands."""
