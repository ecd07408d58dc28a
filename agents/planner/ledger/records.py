"""What the ledger keeps as JSON in its columns: outstanding work, evidence of an attempt, outcome of a job, recipes,
pages of prompts. Rows of version 0.1.0, whose jobs and recipes were flat, are read as they would be written now."""

from typing import Any

import msgspec
from msgspec import Struct

from agents.planner.planning.recipe import Recipe
from protocol.commands import GenerateImages
from protocol.errors import ErrorBody
from protocol.flat_jobs import FlatJob, KnownWork, current_work
from protocol.messages import Assessment, Job, Picture, Prompt, StoreImage, Work
from protocol.pixels import PixelSettings


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of an attempt that made pixels. The embedding is dropped once it is summed."""

    job: Job
    picture: Picture
    assessment: Assessment | None = None


def judged_evidence(job: Job, picture: Picture, assessment: Assessment) -> Evidence:
    """What is kept of an attempt that QA judged."""
    kept = msgspec.structs.replace(assessment, embedding=None, reference=msgspec.UNSET)
    return Evidence(job=job, picture=picture, assessment=kept)


class Outcome(Struct, frozen=True, kw_only=True):
    """How a job ended. `key`, `path`, `url` are null where nothing was filed.

    `inconsistent` is the likeness of a filed picture to the others of its batch where it is below the least that was
    asked for; `standing` is how that picture was filed, while another attempt at it is made; `final` says that no
    further one is to be made.
    """

    key: str | None = None
    path: str | None = None
    url: str | None = None
    attempt: int | None = None
    error: ErrorBody | None = None
    finished_at: float | None = None
    inconsistent: float | None = None
    standing: StoreImage | None = None
    final: bool = False


PROMPTS_DECODER = msgspec.json.Decoder(list[Prompt])
"""Decodes a page of prompts."""


class _FlatEvidence(Struct, frozen=True, kw_only=True):
    """Evidence as version 0.1.0 wrote it."""

    job: FlatJob
    picture: Picture
    assessment: Assessment | None = None


_WORK_DECODER = msgspec.json.Decoder(KnownWork)
_EVIDENCE_DECODER = msgspec.json.Decoder(Evidence)
_FLAT_EVIDENCE_DECODER = msgspec.json.Decoder(_FlatEvidence)
_JOBS_DECODER = msgspec.json.Decoder(list[Job])
_FLAT_JOBS_DECODER = msgspec.json.Decoder(list[FlatJob])
_OUTCOME_DECODER = msgspec.json.Decoder(Outcome)
_RECIPE_DECODER = msgspec.json.Decoder(Recipe)


def decode_work(data: bytes) -> Work:
    """An outstanding work message."""
    return current_work(_WORK_DECODER.decode(data))


def decode_outcome(data: bytes | None) -> Outcome:
    """How a job ended; an empty one where it did not end yet."""
    return _OUTCOME_DECODER.decode(data) if data else Outcome()


def decode_evidence(data: bytes) -> Evidence:
    """The evidence of an attempt."""
    try:
        return _EVIDENCE_DECODER.decode(data)
    except msgspec.ValidationError:
        flat = _FLAT_EVIDENCE_DECODER.decode(data)
        return Evidence(job=flat.job.current, picture=flat.picture, assessment=flat.assessment)


def decode_jobs(data: bytes) -> list[Job]:
    """A page of an upgrade."""
    try:
        return _JOBS_DECODER.decode(data)
    except msgspec.ValidationError:
        return [flat.current for flat in _FLAT_JOBS_DECODER.decode(data)]


def decode_recipe(data: bytes, command: GenerateImages) -> Recipe:
    """The recipe of a batch that a command began. A flat one left the regions, and whether pictures are strict, to the
    command."""
    try:
        return _RECIPE_DECODER.decode(data)
    except msgspec.ValidationError:
        flat: dict[str, Any] = msgspec.json.decode(data)
        pixels = {name: flat[name] for name in PixelSettings.__struct_fields__ if name in flat}
        recipe = msgspec.convert({**flat, "pixels": pixels}, Recipe)
        return recipe.with_pixels(regions=command.regions, strict=command.determinism == "strict")
