# pyright: basic
"""A model hub on a real socket: repositories from memory, with ranges, broken connections, lies and locked doors."""

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeHub:
    """`repositories` is source -> path -> content. `break_after` bytes of a file the connection breaks, once for each
    entry. `promised` overrides the size that the listing gives of a path, `spoilt` the bytes that are sent of it."""

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    token: str | None = None
    break_after: list[int] = field(default_factory=list)
    promised: dict[str, int] = field(default_factory=dict)
    spoilt: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths of files that were asked for, with the range."""
    revisions: set[str] = field(default_factory=lambda: {"main", COMMIT})
    revisions_asked: list[str] = field(default_factory=list)
    elsewhere: str | None = None
    """Address that files are redirected to, as large ones are on the real hub."""
    tokens: list[str | None] = field(default_factory=list)
    """What was sent as authorisation."""
    url: str = ""

    def add(self, source: str, folder: Path) -> None:
        """Publish a folder as a repository."""
        self.repositories[source] = {
            str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
        }

    def listing(self, source: str) -> bytes:
        siblings = [
            {
                "rfilename": path,
                "size": self.promised.get(path, len(content)),
                "blobId": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            }
            | ({"lfs": {"sha256": hashlib.sha256(content).hexdigest()}} if path.endswith(".safetensors") else {})
            for path, content in self.repositories[source].items()
        ]
        return json.dumps({"id": source, "sha": COMMIT, "siblings": siblings, "likes": 7}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeHub

    def do_GET(self) -> None:
        hub = self.hub
        path = unquote(urlsplit(self.path).path).lstrip("/")
        hub.tokens.append(self.headers.get("Authorization"))
        if hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self._answer(401, b"{}")
        if path.startswith("api/models/"):
            source, _, revision = path.removeprefix("api/models/").partition("/revision/")
            hub.revisions_asked.append(revision)
            known = source in hub.repositories and revision in hub.revisions
            return self._answer(200, hub.listing(source)) if known else self._answer(404, b"{}")
        source, _, file = path.partition(f"/resolve/{COMMIT}/")
        content = hub.repositories.get(source, {}).get(file)
        if content is None:
            return self._answer(404, b"no such file")
        if hub.elsewhere:
            return self._answer(302, b"", location=hub.elsewhere + self.path)
        content = hub.spoilt.get(file, content)
        wanted = self.headers.get("Range")
        hub.asked.append((file, wanted))
        begin = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and hub.ranges else 0
        return self._answer(206 if begin else 200, content[begin:], breakable=True)

    def _answer(self, status: int, content: bytes, breakable: bool = False, location: str | None = None) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if breakable and self.hub.break_after and len(content) > self.hub.break_after[0]:
            self.wfile.write(content[: self.hub.break_after.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def fake_hub() -> Generator[FakeHub]:
    """A hub that serves until the end of the context."""
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
