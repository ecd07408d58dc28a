"""Where the running workshop of a home is found: one JSON file, readable by its owner alone, and a lock that
lives exactly as long as the supervisor.

The lock, not a process id, says whether a workshop runs: the system frees it however the supervisor dies.
"""

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from bus.durable_files import replace_file
from protocol.errors import Refused

LOCK_WAIT_S = 1.0
"""How long a starting workshop waits for the lock: readers hold it for microseconds while they look."""

MAX_ADDRESS_BYTES = 64 * 1024


class WorkshopAddress(Struct, frozen=True, kw_only=True):
    """Server, client login, process ids. `nats` is null where the server is someone else's; `stays` is false where the
    workshop lives as long as the command that started it."""

    url: str
    user: str | None
    password: str | None
    supervisor: int
    nats: int | None
    started_at: str
    stays: bool = True


class HomeTaken(Refused):
    """Another workshop runs in this home."""

    def __init__(self, home: Path) -> None:
        super().__init__(
            "wrong_state",
            f"a workshop runs in {home} already",
            hint="use it (generate finds it), stop it: bottega down; or name another home in BOTTEGA_HOME",
        )


@contextmanager
def lock_home(address_file: Path) -> Generator[None]:
    """Hold the home of `address_file`; the address file is gone when the lock is free again.

    Raises:
        HomeTaken: a workshop runs here already.
    """
    address_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock_file(address_file).open("a") as lock:
        deadline = time.monotonic() + LOCK_WAIT_S
        while not _try_lock(lock.fileno(), fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise HomeTaken(address_file.parent.parent)
            time.sleep(0.02)
        try:
            yield
        finally:
            address_file.unlink(missing_ok=True)


def write_address(address_file: Path, address: WorkshopAddress) -> None:
    """Replace the address file at once, so that a reader sees the old one or the new one, whole."""
    replace_file(address_file, msgspec.json.format(msgspec.json.encode(address), indent=2) + b"\n", mode=0o600)


def find_workshop(address_file: Path) -> WorkshopAddress | None:
    """The workshop that runs in this home; a file that a dead supervisor left behind counts as none."""
    try:
        with _lock_file(address_file).open("rb") as lock:
            if _try_lock(lock.fileno(), fcntl.LOCK_SH):
                return None
        with address_file.open("rb") as file:
            return msgspec.json.decode(file.read(MAX_ADDRESS_BYTES), type=WorkshopAddress)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _lock_file(address_file: Path) -> Path:
    return address_file.with_suffix(".lock")


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
