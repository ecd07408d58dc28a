"""Pixels: placing, colours, PNG."""
