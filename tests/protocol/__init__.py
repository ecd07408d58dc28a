"""Tests of the protocol: what is said, and what is refused."""
