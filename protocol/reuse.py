"""Pictures that are there already: what the planner asks storage about them, and the operator a generator. Tagged by
`type`. Pure module."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.catalogue import Blob
from protocol.ids import Id
from protocol.messages import Assessment, Job, Picture

MAX_SOUGHT = 100
"""Pictures in one question: as many as the planner asks prompts for at once."""


class FindStored(Struct, frozen=True, kw_only=True, tag_field="type", tag="FIND_STORED"):
    """Which of these pictures of a client are there, accepted and readable? `digests` are of
    `pixel_digest`."""

    client_id: Id
    digests: Annotated[list[Blob], Meta(max_length=MAX_SOUGHT)]


class StoredPicture(Struct, frozen=True, kw_only=True):
    """A picture that is there. `image_id` is the one that it was made as, `picture` and `assessment` what was told of
    it then."""

    digest: Blob
    image_id: Id
    picture: Picture
    assessment: Assessment


class StoredPictures(Struct, frozen=True, kw_only=True, tag_field="type", tag="STORED_PICTURES"):
    """Those that are there, at most one for each digest."""

    found: list[StoredPicture]


class RemakePicture(Struct, frozen=True, kw_only=True, tag_field="type", tag="REMAKE_PICTURE"):
    """Make the picture of a job again and say only what it is: nothing is stored, counted or charged. `device` is the
    one that made it; null where that is not known."""

    job: Job
    device: str | None = None


class RemadePicture(Struct, frozen=True, kw_only=True, tag_field="type", tag="REMADE_PICTURE"):
    """A picture that was made again. `blob` is the name that its bytes would have in the blob store, which does not
    get them."""

    blob: Blob


Reuse = FindStored | StoredPictures | RemakePicture | RemadePicture
"""Everything that is said about pictures that are there already."""
