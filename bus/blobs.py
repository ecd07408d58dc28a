"""Blobs: bytes by the SHA-256 of their content, behind one port. Pixels travel as such a name, never in messages."""

from collections.abc import AsyncGenerator
from typing import Protocol


class BlobMissing(LookupError):
    """No blob of that name."""


class Blobs(Protocol):
    """A content-addressed store. Putting the same bytes twice is harmless."""

    async def put(self, data: bytes) -> str:
        """Store bytes durably, created only if absent; returns their SHA-256 in hexadecimal."""
        ...

    async def has_room(self) -> bool:
        """Whether there is room for more; asked before a picture is made, which would have to be thrown away."""
        ...

    async def get(self, name: str, limit: int = 256 * 1024 * 1024) -> bytes:
        """The bytes of a blob, verified against its name.

        Raises:
            BlobMissing: there is none, or its content does not match its name.
        """
        ...

    async def has(self, name: str) -> bool:
        """Whether the blob is there."""
        ...

    async def touch(self, name: str) -> bool:
        """Whether the blob is there; its time begins anew, as if it were put again. For where it is promised."""
        ...

    async def idle_bytes(self, name: str, before: float) -> int:
        """Bytes of a blob that nobody put or touched since `before`, seconds since the epoch; 0 where it is absent or
        younger."""
        ...

    def list_idle(self, before: float) -> AsyncGenerator[list[str]]:
        """Names of blobs that nobody put or touched since `before`, seconds since the epoch, some at a time."""
        ...

    async def remove_idle(self, name: str, before: float) -> int:
        """Remove a blob that nobody put or touched since `before`; returns the bytes that it had, 0 where nothing was
        removed."""
        ...
