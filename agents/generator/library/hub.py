"""A model hub that speaks Hugging Face's HTTP: what a repository holds at a commit, and its files, from any byte on.

Nothing is trusted: answers are bounded, names checked, and hashes left to the caller, who gets them from `Listing`.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from agents.generator.library.hub_files import MAX_FILES, HubFile
from protocol.errors import AcpError, Refused, Unavailable

MAX_LISTING_BYTES = 8 << 20
TIMEOUT_S = 30.0
"""Without a byte for so long, the hub counts as gone."""


@dataclass(frozen=True)
class Listing:
    """The files of a repository at one commit."""

    commit: str
    files: list[HubFile]


class _Lfs(msgspec.Struct):
    sha256: str


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int = -1
    blobId: str | None = None
    lfs: _Lfs | None = None


class _Repository(msgspec.Struct):
    sha: str
    siblings: list[_Sibling]


class Hub:
    """Holds a connection; `close` lets it go."""

    def __init__(self, url: str, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = url.rstrip("/")
        self._client = httpx2.Client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers)

    def close(self) -> None:
        """Let the connection go."""
        self._client.close()

    def fetch_listing(self, source: str, revision: str) -> Listing:
        """What `source`, such as `stabilityai/stable-diffusion-xl-base-1.0`, holds at a commit, branch or tag.

        Raises:
            Refused: there is no such repository or revision, or it may not be read.
            Unavailable: the hub cannot be reached.
        """
        place = f"{self._url}/api/models/{quote(source)}/revision/{quote(revision, safe='')}?blobs=true"
        with self._request(place, source) as answer:
            content = b"".join(_read_bounded(answer, MAX_LISTING_BYTES, source))
        try:
            found = msgspec.json.decode(content, type=_Repository)
        except msgspec.DecodeError as error:
            raise Unavailable("internal", f"{self._url} does not answer as a hub does: {error}") from error
        if len(found.siblings) > MAX_FILES or not _is_commit(found.sha) or any(one.size < 0 for one in found.siblings):
            raise Refused("not_installed", f"{self._url} names no commit of {source}, or too many files, or no sizes")
        return Listing(
            found.sha,
            [
                HubFile(one.rfilename, one.size, one.lfs.sha256 if one.lfs else None, one.blobId)
                for one in found.siblings
            ],
        )

    @contextmanager
    def open_file(self, source: str, commit: str, path: str, begin: int = 0) -> Generator[tuple[int, Iterator[bytes]]]:
        """A file's bytes from `begin` on. Gives the byte at which they really begin, since a server may answer with
        the whole file, and the bytes.

        Raises:
            Refused, Unavailable: as `fetch_listing`; also in the midst of the bytes.
        """
        place = f"{self._url}/{quote(source)}/resolve/{commit}/{quote(path)}"
        with self._request(place, source, {"Range": f"bytes={begin}-"} if begin else {}) as answer:
            yield (begin if answer.status_code == 206 else 0), answer.iter_raw()

    @contextmanager
    def _request(self, place: str, source: str, headers: dict[str, str] | None = None) -> Generator[Any]:
        # Compressed, the bytes would not be those that the hashes and ranges speak of.
        headers = {"Accept-Encoding": "identity", **(headers or {})}
        try:
            with self._client.stream("GET", place, headers=headers) as answer:
                if not answer.is_success:
                    raise _refusal(answer.status_code, source, self._url)
                yield answer
        except httpx2.HTTPError as error:
            raise Unavailable(
                "timeout",
                f"{self._url} broke off or is out of reach: {str(error) or type(error).__name__}",
                hint="say it again; what is here already is not fetched again",
            ) from error


def _read_bounded(answer: Any, most: int, source: str) -> Iterator[bytes]:
    size = 0
    for block in answer.iter_raw():
        size += len(block)
        if size > most:
            raise Refused("too_large", f"the list of files of {source} is longer than {most} bytes")
        yield block


def _is_commit(text: str) -> bool:
    return len(text) == 40 and all(digit in "0123456789abcdef" for digit in text)


def _refusal(status: int, source: str, url: str) -> AcpError:
    if status in (401, 403):
        return Refused(
            "not_installed",
            f"{url} does not give {source} to you ({status})",
            hint=f"accept its licence at {url}/{source}, then set BOTTEGA_HUB_TOKEN to a token of yours",
        )
    if status == 404:
        return Refused("not_installed", f"{url} knows no {source}, or not that revision of it", hint="mend its name")
    return Unavailable("timeout", f"{url} answers {status}", hint="try again in a while")
