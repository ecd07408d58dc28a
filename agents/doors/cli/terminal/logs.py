"""Where log lines go while a person looks at the terminal."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from io import FileIO, TextIOWrapper
from pathlib import Path

import structlog

from agents.shared.supervisor.child import open_log
from bus.telemetry import LossyLogger


def silence_logs() -> None:
    """Drop log lines: a client command reports its own failures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextmanager
def log_to_file(file: Path) -> Generator[None]:
    """JSON lines to a file, for a supervisor whose terminal shows one line per event."""
    with open_log(file) as descriptor:
        # Nothing is buffered: what has no room is lost, and not tried again at the end.
        lines = TextIOWrapper(FileIO(descriptor, "a", closefd=False), encoding="utf-8", write_through=True)
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=lambda *_: LossyLogger(lines),
        )
        try:
            yield
        finally:
            silence_logs()
