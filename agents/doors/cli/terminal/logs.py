"""Where log lines go while a person looks at the terminal."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import structlog

from agents.shared.supervisor.child import open_log


def silence_logs() -> None:
    """Drop log lines: a client command reports its own failures."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@contextmanager
def log_to_file(file: Path) -> Generator[None]:
    """JSON lines to a file, for a supervisor whose terminal shows one line per event."""
    with open_log(file) as descriptor, open(descriptor, "a", buffering=1, closefd=False) as lines:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            logger_factory=structlog.PrintLoggerFactory(lines),
        )
        try:
            yield
        finally:
            silence_logs()
