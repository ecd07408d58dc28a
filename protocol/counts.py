"""Counts in words, as every room says them. Pure module."""


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """`1 picture`, `2 pictures`."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"
