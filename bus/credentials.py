"""Port and passwords of the embedded server: drawn once, kept in a file that only its owner can read. The logins of
clients are added and removed here."""

import fcntl
import json
import secrets
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bus.accounts import FIXED_LOGINS, client_login, client_of_login
from bus.connection import Address
from bus.durable_files import replace_file

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
    """The kept credentials; null where there are none. Logins that are missing get a password, those that no login has
    any more are left out."""
    try:
        data = json.loads(credentials_file(folder).read_text())
        kept = {str(name): str(word) for name, word in data["passwords"].items()}
        port = int(data["port"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    clients = {name: word for name, word in kept.items() if client_of_login(name) is not None}
    return Credentials(port, {name: kept.get(name) or new_password() for name in FIXED_LOGINS} | clients)


def new_credentials(port: int | None = None) -> Credentials:
    """Fresh passwords, and a port that is free now."""
    return Credentials(port or free_port(), {name: new_password() for name in FIXED_LOGINS})


def outside_address(url: str, folder: Path, login: str) -> Address:
    """The address of a login on a server of somebody else's. A URL with credentials is the whole of it; without them
    the login's own are those that this folder keeps, where it keeps any (see `bottega deploy nats-config`)."""
    address = Address.parse(url)
    kept = read_credentials(folder) if address.user is None else None
    if kept is None or login not in kept.passwords:
        return address
    return Address(address.url, login, kept.passwords[login])


def new_password() -> str:
    """A password that nobody guesses."""
    return secrets.token_urlsafe(24)


def ensure_credentials(folder: Path) -> Credentials:
    """The kept credentials, else new ones; whole on the disk."""
    with locked_credentials(folder):
        kept = read_credentials(folder)
        settled = kept or new_credentials()
        write_credentials(folder, settled)
        return settled


def put_client(folder: Path, client: str) -> Credentials:
    """Give a client a new password, with or without an old one; the credentials as they are then."""
    with locked_credentials(folder):
        found = read_credentials(folder) or new_credentials()
        changed = replace(found, passwords=found.passwords | {client_login(client): new_password()})
        write_credentials(folder, changed)
        return changed


def remove_client(folder: Path, client: str) -> Credentials:
    """Take away a client's login; harmless where it has none."""
    with locked_credentials(folder):
        found = read_credentials(folder) or new_credentials()
        name = client_login(client)
        changed = replace(found, passwords={one: word for one, word in found.passwords.items() if one != name})
        write_credentials(folder, changed)
        return changed


@contextmanager
def locked_credentials(folder: Path) -> Generator[None]:
    """Hold the file for a change, against other processes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "credentials.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
