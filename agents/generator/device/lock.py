"""A device belongs to one process: a lock file that the system releases when the process ends, however it ends."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from protocol.errors import Refused


@contextmanager
def lock_device(folder: Path, device: str) -> Generator[None]:
    """Hold the lock of `device` in `folder`.

    Raises:
        Refused: another process holds it; the message names that process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"device-{device.replace(':', '-')}.lock"
    with file.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.seek(0)
            holder = handle.read(32).strip() or "unknown"
            raise Refused(
                "wrong_state",
                f"the device {device} is held by the generator with process id {holder} (lock file {file})",
                hint="stop that generator, or give this one another device with BOTTEGA_DEVICE",
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
