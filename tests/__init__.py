"""Tests: what the workshop does, said as sentences."""
