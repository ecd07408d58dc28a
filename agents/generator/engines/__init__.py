"""Engines: what makes the picture of an order."""
