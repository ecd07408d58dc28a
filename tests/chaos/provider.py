"""A provider that takes money: a server on a real socket, outside the workshop, with a journal of its own.

A request is one line of JSON, `{"request": …}`; so is the answer, `{"id": …, "micros": …}` or `{"refused": …}`. The
request itself decides whether it is answered, refused without charge, or charged and left without an answer.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

PRICE_MICROS = 40_000
"""Of one picture: four cents."""

Mood = Literal["answers", "refuses", "hangs up"]


@dataclass(frozen=True)
class Call:
    """A request that arrived: its SHA-256, what was charged, and under which name."""

    request: str
    micros: int
    reference: str


@dataclass
class Provider:
    """What the server wrote down."""

    port: int = 0
    calls: list[Call] = field(default_factory=list[Call])
    refused: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            line = await reader.readline()
            if not line.endswith(b"\n"):
                return  # whoever asked died before it had said all
            request = hashlib.sha256(line).hexdigest()
            match mood_of(request, self.refused):
                case "refuses":
                    self.refused += 1
                    writer.write(b'{"refused": "busy"}\n')
                case "hangs up":
                    self._charge(request)
                case "answers":
                    call = self._charge(request)
                    writer.write(json.dumps({"id": call.reference, "micros": call.micros}).encode() + b"\n")
            await writer.drain()
        except OSError:
            return  # whoever asked is dead
        finally:
            writer.close()

    def _charge(self, request: str) -> Call:
        call = Call(request, PRICE_MICROS, f"call-{len(self.calls)}")
        self.calls.append(call)
        return call


def mood_of(request: str, refusals: int) -> Mood:
    """One request in sixteen is charged and not answered; one in eight is refused, two times of three."""
    draw = int(request[:2], 16) % 16
    if draw == 0:
        return "hangs up"
    return "refuses" if draw in (1, 2) and refusals % 3 != 2 else "answers"


@asynccontextmanager
async def provider() -> AsyncGenerator[Provider]:
    """A provider for the time of an `async with`."""
    kept = Provider()
    server = await asyncio.start_server(kept.serve, "127.0.0.1", 0)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        server.close()
