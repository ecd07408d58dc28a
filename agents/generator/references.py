"""Reference pictures of a job: from blobs to pixels, within bounds. A job carries their hashes alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from agents.picture import MAX_BYTES, Rgb, Undecodable, decode
from bus.blobs import BlobMissing, Blobs
from protocol.catalogue import ReferenceBlob
from protocol.errors import AcpError


@dataclass(frozen=True)
class Reference:
    """A picture to follow. `rgb` has shape (height, width, 3), `uint8`, sRGB."""

    said: ReferenceBlob
    rgb: Rgb


async def load(blobs: Blobs, references: Sequence[ReferenceBlob], most: int) -> tuple[Reference, ...]:
    """The first `most` pictures, decoded one after the other.

    Raises:
        AcpError: a blob is not there, which may work later; or it is no picture, or larger than one may be.
    """
    return tuple([await _load(blobs, one) for one in references[:most]])


async def pixels(blobs: Blobs, blob: str, path: str) -> Rgb:
    """A picture of the blob store; `path` is where the job names it.

    Raises:
        AcpError: the blob is not there, which may work later; or it is no picture, or larger than one may be.
    """
    try:
        data = await blobs.get(blob, limit=MAX_BYTES)
        decoded = await asyncio.to_thread(decode, data)
    except BlobMissing as error:
        raise AcpError("internal", f"a reference picture is missing: {error}", path=path, retryable=True) from error
    except Undecodable as error:
        raise AcpError("invalid_value", f"the reference picture {blob} cannot be used: {error}", path=path) from error
    return decoded.rgb


async def _load(blobs: Blobs, reference: ReferenceBlob) -> Reference:
    return Reference(reference, await pixels(blobs, reference.blob, "$.job.prompt.references"))
