"""A person's files as blobs: what a picture was made from, if the blob store no longer has it."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from agents.shared.picture import MAX_BYTES
from agents.storage.png import BrokenPng, without_text
from bus.local_blobs import LocalBlobs


class BlobsWithFiles(LocalBlobs):
    """The blobs in a folder, and beside them the content of `files`, which is not put there.

    Raises:
        OSError: a file cannot be read.
    """

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        super().__init__(folder)
        self._file_contents = {hashlib.sha256(data).hexdigest(): data for file in files for data in _contents_of(file)}

    async def get(self, name: str, limit: int = 256 * 1024 * 1024) -> bytes:
        """The bytes of a blob or of a file, verified against their name.

        Raises:
            BlobMissing: neither has them.
        """
        data = self._file_contents.get(name)
        return await super().get(name, limit) if data is None else data


def _contents_of(file: Path) -> Iterator[bytes]:
    """The bytes of a file; of a stored picture also those that it was filed from."""
    with file.open("rb") as opened:
        data = opened.read(MAX_BYTES + 1)
    yield data
    with suppress(BrokenPng):
        yield without_text(data)
