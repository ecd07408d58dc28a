"""Consoles of the command line: what a person's text says is printed as it is, but for what acts on a terminal."""

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from agents.doors.cli.terminal.control_characters import show_control_characters
from agents.doors.cli.terminal.shown_stream import stream_behind


class ShownConsole(Console):
    """A console whose sequences are Rich's own: texts have none."""

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        return super()._render_buffer(
            segment if segment.control else segment._replace(text=show_control_characters(segment.text))
            for segment in buffer
        )


def open_console(*, stderr: bool = False, **options: Any) -> Console:
    """Rich's console, which otherwise turns `:b:` in a prompt into an emoji."""
    file = stream_behind(sys.stderr if stderr else sys.stdout)
    return ShownConsole(emoji=False, stderr=stderr, file=file, **options)
