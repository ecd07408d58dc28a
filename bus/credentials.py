"""Port and passwords of the embedded server: drawn once, kept in a file that only its owner can read."""

import json
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path

from bus.connection import Address
from bus.durable_files import replace_file
from bus.topology import LOGINS

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Credentials:
    """Where the embedded server listens and the password of each login."""

    port: int
    passwords: dict[str, str] = field(repr=False)

    def address(self, login: str) -> Address:
        """The address for one login.

        Raises:
            KeyError: there is no such login.
        """
        return Address(f"nats://{HOST}:{self.port}", login, self.passwords[login])


def credentials_file(folder: Path) -> Path:
    """The file in the server's folder."""
    return folder / "credentials.json"


def read_credentials(folder: Path) -> Credentials | None:
    """The kept credentials; null where there are none or they are of another version."""
    try:
        data = json.loads(credentials_file(folder).read_text())
        found = Credentials(int(data["port"]), {str(name): str(word) for name, word in data["passwords"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if set(found.passwords) == set(LOGINS) else None


def new_credentials(port: int | None = None) -> Credentials:
    """Fresh passwords, and a port that is free now."""
    return Credentials(port or free_port(), {name: secrets.token_urlsafe(24) for name in LOGINS})


def write_credentials(folder: Path, credentials: Credentials) -> None:
    """Keep the credentials, readable by their owner alone; whole or not at all."""
    write_private(credentials_file(folder), json.dumps({"port": credentials.port, "passwords": credentials.passwords}))


def write_private(path: Path, text: str) -> None:
    """Replace a file with mode 0600; a reader sees the old or the new content, never a part."""
    replace_file(path, text.encode(), mode=0o600)


def free_port() -> int:
    """A TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
