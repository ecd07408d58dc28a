"""Transitions of batches and pictures, by cause."""
