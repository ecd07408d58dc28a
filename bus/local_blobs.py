"""Blobs in a folder: `ab/<sha256>`, written to a partial file, synced, then renamed.

A blob is there whole or not at all, also after a power cut; its time is when it was put or touched last. What
reads or writes runs in a thread.
"""

import asyncio
import contextlib
import hashlib
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path

from bus.blobs import BlobMissing
from bus.disk_space import FULL_BYTES, free_bytes
from bus.durable_folders import make_folder, sync_folder
from bus.failpoint import pass_failpoint
from bus.partial_files import PartialFiles

PARTIAL_FOLDER = ".partial"
"""Folder of unfinished blobs below the store's."""

_NAME_PATTERN = re.compile(r"[0-9a-f]{64}")


class LocalBlobs:
    """`bus.blobs.Blobs` on a local file system. Any number of processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._partial_files = PartialFiles(folder / PARTIAL_FOLDER)
        self._partial_files.sweep()

    async def put(self, data: bytes) -> str:
        """Store bytes durably, created only if absent; returns their SHA-256 in hexadecimal."""
        return await asyncio.to_thread(self._put, data)

    async def has_room(self) -> bool:
        """Whether the disk has room for more."""
        return await asyncio.to_thread(free_bytes, self.folder) >= FULL_BYTES

    async def get(self, name: str, limit: int = 256 * 1024 * 1024) -> bytes:
        """The bytes of a blob, verified against its name.

        Raises:
            BlobMissing: there is none, it is larger than `limit` bytes, or its content does not match its name.
        """
        return await asyncio.to_thread(self._get, name, limit)

    async def has(self, name: str) -> bool:
        """Whether the blob is there. One look at the file system, shorter than handing it to a thread."""
        return self.path(name).is_file()

    async def touch(self, name: str) -> bool:
        """Whether the blob is there; its time begins anew, as if it were put again."""
        return await asyncio.to_thread(self._touch, name)

    async def idle_bytes(self, name: str, before: float) -> int:
        """Bytes of a blob that nobody put or touched since `before`, seconds since the epoch; 0 where it is absent or
        younger."""
        return await asyncio.to_thread(self._idle_bytes, name, before)

    async def remove_idle(self, name: str, before: float) -> int:
        """Remove a blob that nobody put or touched since `before`; returns the bytes that it had, 0 where nothing was
        removed."""
        return await asyncio.to_thread(self._remove_idle, name, before)

    async def list_idle(self, before: float) -> AsyncGenerator[list[str]]:
        """Names of blobs that nobody put or touched since `before`, seconds since the epoch, a folder at a time."""
        for number in range(256):
            yield await asyncio.to_thread(self._list_idle, self.folder / f"{number:02x}", before)

    def path(self, name: str) -> Path:
        """The file of a blob.

        Raises:
            BlobMissing: the name is not a SHA-256 in hexadecimal, so it cannot lead out of the folder.
        """
        if _NAME_PATTERN.fullmatch(name) is None:
            raise BlobMissing(f"{name[:80]!r} is not the SHA-256 of a blob")
        return self.folder / name[:2] / name

    def _put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        target = self.path(name)
        with contextlib.suppress(FileNotFoundError):
            if target.read_bytes() == data:  # a damaged blob is written anew
                os.utime(target)
                return name
        make_folder(target.parent)
        with self._partial_files.write(data, "blob.written") as partial:
            partial.replace(target)
            pass_failpoint("blob.renamed")
        sync_folder(target.parent)
        return name

    def _touch(self, name: str) -> bool:
        try:
            os.utime(self.path(name))
        except FileNotFoundError:
            return False
        return True

    def _idle_bytes(self, name: str, before: float) -> int:
        try:
            found = self.path(name).stat()
        except FileNotFoundError:
            return 0
        return found.st_size if found.st_mtime < before else 0

    def _remove_idle(self, name: str, before: float) -> int:
        path = self.path(name)
        if not self._idle_bytes(name, before):
            return 0
        try:
            with self._partial_files.withdraw(path) as aside:
                found = aside.stat()
                if found.st_mtime < before:
                    return found.st_size
                with contextlib.suppress(FileExistsError):  # put again since the look
                    os.link(aside, path)
        except FileNotFoundError:
            pass
        return 0

    def _list_idle(self, folder: Path, before: float) -> list[str]:
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
            return [one.name for one in found if _NAME_PATTERN.fullmatch(one.name) and one.stat().st_mtime < before]
        return []

    def _get(self, name: str, limit: int) -> bytes:
        try:
            with self.path(name).open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError as error:
            raise BlobMissing(f"there is no blob {name}") from error
        if len(data) > limit:
            raise BlobMissing(f"blob {name} is larger than {limit} bytes")
        if hashlib.sha256(data).hexdigest() != name:
            raise BlobMissing(f"blob {name} is damaged: its content does not match its name")
        return data
