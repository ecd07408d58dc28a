"""What the ledger keeps as JSON in its columns: evidence of an attempt, outcome of a job, pages of prompts."""

import msgspec
from msgspec import Struct

from protocol.errors import ErrorBody
from protocol.messages import Assessment, Job, Picture, Prompt


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of an attempt that made pixels. The embedding is dropped once it is summed."""

    job: Job
    picture: Picture
    assessment: Assessment | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """How a job ended. `key`, `path`, `url` are null where nothing was filed."""

    key: str | None = None
    path: str | None = None
    url: str | None = None
    attempt: int | None = None
    error: ErrorBody | None = None
    finished_at: float | None = None


JOBS_DECODER = msgspec.json.Decoder(list[Job])
"""Decodes a page of an upgrade."""


PROMPTS_DECODER = msgspec.json.Decoder(list[Prompt])
"""Decodes a page of prompts."""
