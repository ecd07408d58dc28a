"""A picture that a job names: from its blob to pixels, within bounds."""

import asyncio

from agents.picture import MAX_BYTES, Rgb, Undecodable, decode
from bus.blobs import BlobMissing, Blobs
from protocol.errors import AcpError


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
