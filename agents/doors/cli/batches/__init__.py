"""Commands about a batch: send, follow, steer, status."""
