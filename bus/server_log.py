"""What nats-server's log tells of writes that failed."""

import re
from pathlib import Path

MAX_READ_BYTES = 256 * 1024
"""The newest lines that are read at once; those before them say the same."""

_FAILED_WRITE = re.compile(rb"failed to store a msg|critical write error|JetStream out of resources", re.IGNORECASE)


class ServerLog:
    """A log that grows, and begins anew when it is set aside."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = self._size()

    def count_failed_writes(self) -> int:
        """Lines about failed writes since the count before."""
        size = self._size()
        begin = max(self._read if size >= self._read else 0, size - MAX_READ_BYTES)
        try:
            with self._file.open("rb") as log:
                log.seek(begin)
                said = log.read(size - begin)
        except OSError:
            return 0
        self._read = begin + len(said)
        return len(_FAILED_WRITE.findall(said))

    def _size(self) -> int:
        try:
            return self._file.stat().st_size
        except OSError:
            return 0
