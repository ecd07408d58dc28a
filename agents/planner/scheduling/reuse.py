"""Reuse of stored pictures: which pictures may exist already, what they are found by, and the work that returns one.
Pure module."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.planner.ledger.batches import Batch
from agents.planner.planning.capabilities import offers_of
from protocol.errors import Unavailable
from protocol.messages import GenerateImage, Job, Presence, PromptsWritten, StoreImage
from protocol.offers import EmbeddingInfo, Info, infos_of, kind_of
from protocol.pixels import PixelSpec, pixel_digest
from protocol.post import LANCZOS, CorrectColour, Refine
from protocol.quality import level_of
from protocol.reuse import StoredPicture
from protocol.sources import adapters_of
from protocol.words import refined_spec, words_of


class NeedsLookup(Unavailable):
    """Raised when pictures of a page of prompts may exist already: storage has to be asked before the page is applied.
    `jobs` are their first attempts."""

    def __init__(self, page: PromptsWritten, jobs: Sequence[Job]) -> None:
        super().__init__("timeout", "storage was not asked yet which of these pictures are there already")
        self.page = page
        self.jobs = jobs


@dataclass(frozen=True)
class WithLookup:
    """A page of prompts, and what storage has of its pictures, by index."""

    page: PromptsWritten
    stored: Mapping[int, StoredPicture]


def may_reuse(batch: Batch) -> bool:
    """Whether pictures of a batch may be there already: their seeds are given, the client allows it, and they are not
    made again from others."""
    command = batch.command
    swept = command.sweep is not None and "seed" in command.sweep.values
    return command.reuse and batch.parent is None and (command.seed is not None or swept)


def digests(jobs: Iterable[Job], presences: Sequence[Presence]) -> dict[int, str]:
    """What each picture is found by, by index. Those whose weights are not known for certain have nothing."""
    offers = [offer for presence in presences for offer in offers_of(presence)]
    by_kind: dict[str, list[Info]] = {}
    for offer in offers:
        by_kind.setdefault(kind_of(offer), []).append(offer.info)
    known = {kind: agreed_versions(infos) for kind, infos in by_kind.items()}
    words = [word for word in infos_of(offers, EmbeddingInfo) if word.installed]
    found: dict[int, str] = {}
    for job in jobs:
        tokens = {word.name: word.token for word in words if word.platform == job.platform}
        versions = [known.get(kind, {}).get(name) for kind, name in _weights(job.pixels, tokens)]
        if None not in versions:
            found[job.index] = pixel_digest(job.pixels, "+".join(filter(None, versions)))
    return found


def _weights(pixels: PixelSpec, tokens: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Everything with weights that a picture is made with, as (kind, name), in the order of `Picture.model_version`;
    `tokens` is how prompts write learned words, by name."""
    parts = [("model", pixels.model)]
    parts += [("lora", lora.name) for lora in pixels.loras]
    parts += [("control", control.model) for control in pixels.controls]
    parts += [("ip_adapter", name) for name in adapters_of(pixels.image_prompts)]
    parts += [("motion", pixels.motion.model)] if pixels.motion else []
    parts += [("word", name) for name in words_of(pixels, tokens)]
    for step in pixels.post:
        if isinstance(step, Refine):
            parts += [("lora", lora.name) for lora in step.loras or []]
            parts += [("word", name) for name in words_of(refined_spec(pixels, step), tokens)]
        elif not isinstance(step, CorrectColour) and step.model != LANCZOS:
            parts.append(("tool", step.model))
    return dict.fromkeys(parts)


def agreed_versions(announced: Iterable[Info]) -> dict[str, str | None]:
    """The hash of each installed model or adapter, by name; null where a generator does not know it yet, or two differ,
    because any of them may take the job."""
    versions: dict[str, set[str | None]] = {}
    for one in announced:
        if one.installed:
            versions.setdefault(one.name, set()).add(one.version)
    return {name: known.pop() if len(known) == 1 else None for name, known in versions.items()}


def first_work(job: Job, stored: StoredPicture | None) -> GenerateImage | StoreImage:
    """The first work for a picture: to file the one that is there, if it was judged and reaches the bar of this job,
    else to make it."""
    level = level_of(stored.assessment) if stored else None
    if stored is None or level is None or level < job.min_score:
        return GenerateImage(job=job)
    return StoreImage(job=job, picture=stored.picture, assessment=stored.assessment, reused=stored.image_id)
