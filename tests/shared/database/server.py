"""A real PostgreSQL for tests: one server on a Unix socket in a temporary folder, a schema of its own for each test.

PostgreSQL refuses to run as root, so root starts it as an unprivileged user.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from bus import die_with_parent

SETTINGS = (
    *("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "listen_addresses="),
    *("log_min_messages=log", "log_min_error_statement=panic", "log_checkpoints=off"),
)
"""Fast, because nobody needs the data after the tests; and silent once it is ready."""

READY = b"ready to accept connections"

_numbers = itertools.count()


def binaries() -> Path | None:
    """The folder with the newest server programs, or null where PostgreSQL is not installed."""
    packaged = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    found = packaged[-1] if packaged else shutil.which("postgres")
    return Path(found).resolve().parent if found else None


@contextmanager
def running(programs: Path) -> Generator[str]:
    """The URL of a fresh server for the time of a `with`; it ends with this process, however that ends."""
    owner = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="bottega-postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if owner:
            shutil.chown(folder, owner)
        _run(owner, programs / "initdb", "-D", folder / "data", "-U", "bottega", "--auth=trust", "-E", "UTF8", "-N")
        settings = [f"-c{setting}" for setting in (*SETTINGS, f"unix_socket_directories={folder}")]
        server = subprocess.Popen(
            [*_tied(owner), programs / "postgres", "-D", folder / "data", *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        with server:
            try:
                assert server.stderr is not None
                said = list(itertools.takewhile(lambda line: READY not in line, server.stderr))
                assert server.poll() is None, b"".join(said).decode()
                yield f"postgresql://bottega@/postgres?host={folder}"
            finally:
                server.send_signal(signal.SIGINT)


def fresh_schema(server: str) -> str:
    """The URL of a new, empty schema."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}".encode())
    return f"{server}&options=-csearch_path%3D{name}"


def _unprivileged() -> str | None:
    """Who runs the server: null is this process's own user."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _tied(user: str | None) -> list[str]:
    """What stands before a command so that it dies with this process, and runs as `user`."""
    if user is None:
        return [sys.executable, "-I", die_with_parent.__file__, str(os.getpid())]
    entry = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--pdeathsig=INT"]


def _run(user: str | None, *command: object) -> None:
    subprocess.run([str(part) for part in command], user=user, check=True, capture_output=True, timeout=60, cwd="/")
