"""Whole workshops under SIGKILL."""
