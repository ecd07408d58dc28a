"""Standard output and standard error of the command line: nothing that a stranger wrote acts on the terminal.

Briefs, names, errors and logs come from clients, files and servers. They are made harmless where text leaves the
process, so no command has to think of it.
"""

import sys
from io import TextIOBase
from typing import TextIO, cast

from agents.doors.cli.terminal.control_characters import show_control_characters


class ShownStream(TextIOBase):
    """A stream whose texts have no control characters. Rich writes to `rich_proxied_file`: its own sequences pass, and
    the console of `open_console` has made harmless what it shows."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str, /) -> int:
        self.rich_proxied_file.write(show_control_characters(text))
        return len(text)

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self.rich_proxied_file.flush()

    def fileno(self) -> int:
        return self.rich_proxied_file.fileno()

    def isatty(self) -> bool:
        return self.rich_proxied_file.isatty()

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """That of the stream behind."""
        return self.rich_proxied_file.encoding

    @property
    def errors(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """How the stream behind writes what its encoding lacks."""
        return self.rich_proxied_file.errors


def stream_behind(stream: TextIO) -> TextIO:
    """The stream that Rich writes to."""
    return stream.rich_proxied_file if isinstance(stream, ShownStream) else stream


def protect_terminal() -> None:
    """Let all that this process prints go through here."""
    # Python's type for them is narrower than what it uses of them.
    sys.stdout, sys.stderr = (cast("TextIO", ShownStream(stream_behind(stream))) for stream in (sys.stdout, sys.stderr))
