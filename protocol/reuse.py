"""Reuse of stored pictures: what decides the pixels of one, and what the planner asks storage about those that are
there already. Tagged by `type`. Pure module."""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from protocol.catalogue import Blob
from protocol.ids import Id
from protocol.messages import Assessment, Job, Picture

MAX_SOUGHT = 100
"""Pictures in one question: as many as the planner asks prompts for at once."""


class FindStored(Struct, frozen=True, kw_only=True, tag_field="type", tag="FIND_STORED"):
    """Which of these pictures of a client are there, accepted and readable? `digests` are of `pixel_digest`."""

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


Reuse = FindStored | StoredPictures
"""Everything that is said about pictures that are there already."""


def pixel_digest(job: Job, model_version: str) -> str:
    """SHA-256, hexadecimal, of everything that decides the pixels of a picture, whoever it is for and however often it
    was tried. `model_version` is the hash of the weights, adapters included, as in `Picture`."""
    prompt = job.prompt
    decides = (
        (prompt.text, prompt.negative, prompt.references),
        (job.model, model_version, [(lora.name, float(lora.weight)) for lora in job.loras]),
        (job.seed, job.width, job.height, job.steps, float(job.guidance), job.sampler),
        *((job.init_image, job.controls) if job.init_image or job.controls else ()),
        *((job.image_prompts,) if job.image_prompts else ()),
        *(("regions", job.regions) if job.regions else ()),
        *((job.post,) if job.post else ()),
        *(("motion", job.motion) if job.motion else ()),
        # In the last bits: where a picture follows the load, others that did are as good.
        *((job.strict, job.buckets) if job.strict or job.buckets else ()),
    )
    return hashlib.sha256(msgspec.json.encode(decides)).hexdigest()
