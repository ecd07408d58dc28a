"""Children that parse strangers' pictures for one agent: few at a time, one of a client, replaced when they die."""

import asyncio
import atexit
import io
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from weakref import WeakValueDictionary

import msgspec
import numpy as np

from agents.shared.picture import MAX_BYTES, Rgb, Undecodable
from agents.shared.sandbox.child import CPU_SECONDS, MEMORY_BYTES
from agents.shared.sandbox.wire import Answer, Wanted, read_frame, write_frame

PLACES = 2
"""Pictures that one agent has decoded at a time; a client has half of them."""

SECONDS = 30.0
"""After which a child is ended."""

MAX_TASKS = 200
"""After which a child is replaced."""

MAX_ANSWER_BYTES = 4096

_SIGNALS = frozenset(signal.Signals)

_ROOT = Path(__file__).resolve().parents[3]
_START = "import sys; sys.path.insert(0, sys.argv[1]); from agents.shared.sandbox.child import main; main()"


@dataclass(frozen=True)
class ParsedPicture:
    """What a child found in a file. `rgb` holds the pixels that were wanted, `width` and `height` are the picture's."""

    media_type: str
    width: int
    height: int
    frames: int
    adapted: bool
    rgb: Rgb

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height


class ParserPool:
    """The children of one process; they start when first needed, and end with it."""

    def __init__(
        self, seconds: float = SECONDS, *, memory_bytes: int = MEMORY_BYTES, cpu_seconds: float = CPU_SECONDS
    ) -> None:
        """`seconds` is the time that a picture may take, the others are what a child may use for it."""
        self._seconds = seconds
        self._limits = memory_bytes, cpu_seconds
        self._threads = ThreadPoolExecutor(PLACES, "parser")
        self._idle: list[tuple[subprocess.Popen[bytes], int]] = []
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def parse(self, data: bytes, wanted: Wanted = "pixels", client: str | None = None) -> ParsedPicture:
        """What is in a stranger's file; pictures of one `client` wait for each other.

        Raises:
            Undecodable: it is no picture, or it takes more than a picture may.
        """
        loop = asyncio.get_running_loop()
        if client is None:
            return await loop.run_in_executor(self._threads, self._parse, data, wanted)
        turn = self._turns.setdefault(client, asyncio.Lock())
        async with turn:
            return await loop.run_in_executor(self._threads, self._parse, data, wanted)

    def parse_blocking(self, data: bytes, wanted: Wanted = "pixels") -> ParsedPicture:
        """As `parse`, for a thread or a process without a loop.

        Raises:
            Undecodable: see `parse`.
        """
        return self._threads.submit(self._parse, data, wanted).result()

    def _parse(self, data: bytes, wanted: Wanted) -> ParsedPicture:
        if len(data) > MAX_BYTES:
            raise Undecodable("too_large", f"{len(data)} bytes, more than {MAX_BYTES}: make it smaller")
        child, tasks = self._take()
        killer = threading.Timer(self._seconds, child.kill)
        killer.start()
        try:
            answer, pixels = _ask(child, data, wanted)
        except (OSError, EOFError, ValueError) as error:
            _end(child)
            raise Undecodable("broken", self._death_of(child)) from error
        except BaseException:
            _end(child)
            raise
        finally:
            killer.cancel()
        if tasks + 1 < MAX_TASKS and child.poll() is None:
            self._idle.append((child, tasks + 1))
        else:
            _end(child)
        if answer.fault is not None:
            raise Undecodable(answer.fault, answer.message)
        rgb = np.frombuffer(pixels, np.uint8).reshape(answer.rows, answer.columns, 3)
        return ParsedPicture(answer.media_type, answer.width, answer.height, answer.frames, answer.adapted, rgb)

    def _death_of(self, child: "subprocess.Popen[bytes]") -> str:
        """Why a child gave no answer, and what whoever brought the picture can do."""
        match -child.returncode:
            case signal.SIGPROF:
                why = f"decoding it takes more than {self._limits[1]:g} s of processor time"
            case signal.SIGKILL:
                why = f"decoding it takes more than {self._seconds:g} s, or too much memory"
            case number:
                name = signal.Signals(number).name if number in _SIGNALS else f"exit status {child.returncode}"
                why = f"its decoder crashed ({name})"
        return f"{why}: open it in another program, and save it again as PNG"

    def _take(self) -> "tuple[subprocess.Popen[bytes], int]":
        """A child, and how much it has parsed."""
        while True:
            try:
                child, tasks = self._idle.pop()
            except IndexError:
                return _start_child(*self._limits), 0
            if child.poll() is None:
                return child, tasks
            _end(child)

    def close(self) -> None:
        """End the children, after those that are at work."""
        self._threads.shutdown()
        while self._idle:
            _end(self._idle.pop()[0])


PARSERS = ParserPool()
"""The children of this process."""

atexit.register(PARSERS.close)


def _start_child(memory_bytes: int, cpu_seconds: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-I", "-c", _START, str(_ROOT), str(memory_bytes), str(cpu_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # One thread of linear algebra: each would take address space of its own.
        env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        cwd="/",
    )


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        # What it was not told any more cannot be flushed.
        with suppress(OSError):
            cast(io.BufferedIOBase, stream).close()


def _ask(child: "subprocess.Popen[bytes]", data: bytes, wanted: Wanted) -> tuple[Answer, bytearray]:
    requests, answers = cast(io.BufferedIOBase, child.stdin), cast(io.BufferedIOBase, child.stdout)
    write_frame(requests, wanted.encode())
    write_frame(requests, data)
    answer = msgspec.msgpack.decode(read_frame(answers, MAX_ANSWER_BYTES), type=Answer)
    pixels = read_frame(answers)
    if len(pixels) != answer.rows * answer.columns * 3:
        raise ValueError("pixels of another size than the answer says")
    return answer, pixels
