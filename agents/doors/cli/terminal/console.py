"""Consoles of the command line: what a person's text says is printed as it is."""

from typing import Any

from rich.console import Console


def open_console(**options: Any) -> Console:
    """Rich's console, which otherwise turns `:b:` in a prompt into an emoji."""
    return Console(emoji=False, **options)
