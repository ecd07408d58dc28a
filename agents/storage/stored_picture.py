"""A stored picture in the form that the planner receives, so that it can be filed again under another name. Pure
module."""

import msgspec
from msgspec import UNSET

from agents.storage.catalogue import CatalogueRow
from protocol.messages import Assessment, Picture
from protocol.reuse import StoredPicture


def stored_picture(entry: CatalogueRow) -> StoredPicture:
    """The picture of a row that was found by its digest. What was measured once and is not in the record, such as the
    memory that it took, is null."""
    record = entry.record
    assert entry.digest is not None, "it was found by its digest"
    return StoredPicture(
        digest=entry.digest,
        image_id=record["reused"] or entry.image_id,
        picture=msgspec.convert({**record, "media_type": "image/png"}, Picture),
        assessment=Assessment(
            score=entry.score,
            accepted=True,
            measures=record["measures"],
            reasons=record["reasons"],
            embedding=entry.embedding,
            signature=entry.signature,
            not_judged=record.get("not_judged") or UNSET,
        ),
    )
