"""Diffusers pipelines in memory, and what is mounted on them for a picture."""
