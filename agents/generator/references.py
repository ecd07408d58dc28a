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


async def _load(blobs: Blobs, reference: ReferenceBlob) -> Reference:
    try:
        data = await blobs.get(reference.blob, limit=MAX_BYTES)
        decoded = await asyncio.to_thread(decode, data)
    except BlobMissing as error:
        raise AcpError("internal", f"a reference picture is missing: {error}", retryable=True) from error
    except Undecodable as error:
        raise AcpError(
            "invalid_value",
            f"the reference picture {reference.blob} cannot be used: {error}",
            path="$.job.prompt.references",
        ) from error
    return Reference(reference, decoded.rgb)
