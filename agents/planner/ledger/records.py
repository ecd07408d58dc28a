"""What the ledger keeps as JSON in its columns: outstanding work, evidence of an attempt, outcome of a job, recipes,
pages of prompts. Rows of version 0.1.0, whose jobs and recipes were flat, are read as they would be written now."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from agents.planner.planning.recipe import Recipe
from protocol.commands import GenerateImages
from protocol.errors import ErrorBody
from protocol.flat_jobs import FlatJob, KnownWork, current_work
from protocol.messages import Assessment, Job, Picture, Prompt, Work
from protocol.pixels import PixelSettings

Kind = TypeVar("Kind")


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


PROMPTS_DECODER = msgspec.json.Decoder(list[Prompt])
"""Decodes a page of prompts."""

_WORK_DECODER = msgspec.json.Decoder(KnownWork)
_EVIDENCE_DECODER = msgspec.json.Decoder(Evidence)
_JOBS_DECODER = msgspec.json.Decoder(list[Job])
_RECIPE_DECODER = msgspec.json.Decoder(Recipe)


def decode_work(data: bytes) -> Work:
    """An outstanding work message."""
    return current_work(_WORK_DECODER.decode(data))


def decode_evidence(data: bytes) -> Evidence:
    """The evidence of an attempt."""
    return _decode_either(data, _EVIDENCE_DECODER, _current_evidence)


def decode_jobs(data: bytes) -> list[Job]:
    """A page of an upgrade."""
    return _decode_either(data, _JOBS_DECODER, lambda flat: [_current_job(job) for job in flat])


def decode_recipe(data: bytes, command: GenerateImages) -> Recipe:
    """The recipe of a batch that a command began."""
    return _decode_either(data, _RECIPE_DECODER, lambda flat: _current_recipe(flat, command))


def _decode_either(data: bytes, decoder: msgspec.json.Decoder[Kind], current: Callable[[Any], Kind]) -> Kind:
    """What the bytes hold; `current` makes it of what version 0.1.0 wrote."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        return current(msgspec.json.decode(data))


def _current_job(flat: dict[str, Any]) -> Job:
    return msgspec.convert(flat, FlatJob).current


def _current_evidence(flat: dict[str, Any]) -> Evidence:
    job = msgspec.to_builtins(_current_job(flat["job"]))
    return msgspec.convert({**flat, "job": job}, Evidence, strict=False)


def _current_recipe(flat: dict[str, Any], command: GenerateImages) -> Recipe:
    """A flat recipe left the regions, and whether pictures are strict, to the command."""
    pixels = {name: flat[name] for name in PixelSettings.__struct_fields__ if name in flat}
    recipe = msgspec.convert({**flat, "pixels": pixels}, Recipe)
    strict = command.determinism == "strict"
    return recipe.with_pixels(regions=command.regions, strict=strict)
