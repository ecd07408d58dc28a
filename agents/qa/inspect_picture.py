"""Everything that can be found out about one picture without knowing its batch. Blocking: runs in a thread."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agents.pocket.language.reading import Reading
from agents.qa.measures import Measures, measure
from agents.qa.score import Gate
from agents.qa.scorer import Scorer
from agents.qa.signature import signature
from agents.shared.picture import Rgb, Undecodable
from agents.shared.sandbox.made_picture import decode_made
from agents.shared.sandbox.pool import PARSERS
from protocol.messages import Job, ScoreImage
from protocol.post import size_after
from protocol.prompt_syntax import WEIGHTS, wanted_text

MIN_REGION_SIDE = 0.25
"""Part of a side below which a region is too small to be judged by itself."""


@dataclass(frozen=True)
class Inspection:
    """What was found. `measures` and `signature` are null where the bytes do not decode; `note` says why not.
    `not_judged` are words of the prompt of which the scorer knows nothing."""

    gates: tuple[Gate, ...] = ()
    measures: Measures | None = None
    signature: bytes | None = None
    embedding: bytes | None = None
    not_judged: tuple[str, ...] = ()
    note: str = ""


def crop(rgb: Rgb, box: Sequence[float]) -> Rgb:
    """The part of a picture in a box of left, top, width, height, as parts of its sides."""
    height, width, _ = rgb.shape
    left, top = round(box[0] * width), round(box[1] * height)
    return np.ascontiguousarray(rgb[top : top + round(box[3] * height), left : left + round(box[2] * width)])


def read_all(text: str) -> Reading:
    """What a scorer without a world of its own can judge: every text as it is."""
    return Reading(text)


def inspect_picture(
    data: bytes, message: ScoreImage, scorer: Scorer | None, read: Callable[[str], Reading] = read_all
) -> Inspection:
    """Decode the picture, compare it with the plan, measure it, and ask the scorer whether it shows its subject, as far
    as `read` says that it can judge that. Of a picture whose parts have prompts of their own, each part is judged by
    its own, and the least sure one counts."""
    try:
        picture = decode_made(data, message.picture.provider)
    except Undecodable as error:
        return Inspection(gates=("undecodable",), note=f"{error.fault}: {error}")
    job = message.job
    gates: list[Gate] = []
    notes: list[str] = []
    if picture.media_type != message.picture.media_type:
        gates.append("wrong_format")
        notes.append(f"{picture.media_type}, announced {message.picture.media_type}")
    planned = size_after(job.pixels.post, job.pixels.width, job.pixels.height)
    if picture.size != planned:
        gates.append("wrong_size")
        notes.append("{}x{}, planned {}x{}".format(*picture.size, *planned))
    taken = measure(picture.rgb)
    embedding, not_judged = None, ()
    if scorer is not None:
        found = _compare(scorer, picture.rgb, message, read)
        taken = replace(taken, adherence=found.adherence)
        embedding, not_judged = found.embedding, found.not_judged
    return Inspection(tuple(gates), taken, signature(picture.rgb), embedding, not_judged, "; ".join(notes))


def embed_references(pictures: Sequence[bytes], scorer: Scorer) -> bytes | None:
    """The embedding of pictures whose look is followed: a unit vector as little-endian float16, between them where they
    are several; null where none decodes."""
    vectors: list[NDArray[np.float32]] = []
    for data in pictures:
        with suppress(Undecodable):
            embedding = scorer.match(PARSERS.parse_blocking(data).rgb, "").embedding
            vectors.append(np.frombuffer(embedding, "<f2").astype(np.float32))
    if not vectors:
        return None
    total = np.sum(vectors, axis=0)
    return (total / max(float(np.linalg.norm(total)), 1e-12)).astype("<f2").tobytes()


@dataclass(frozen=True)
class _Comparison:
    """How well a picture shows its texts: null where none of them can be judged."""

    adherence: float | None
    embedding: bytes
    not_judged: tuple[str, ...]


def _compare(scorer: Scorer, rgb: Rgb, message: ScoreImage, read: Callable[[str], Reading]) -> _Comparison:
    job = message.job
    boxes = [
        (one.box, read(_words_of(job, one.prompt))) for one in job.pixels.regions if min(one.box[2:]) >= MIN_REGION_SIDE
    ]
    reading = read(_words_of(job, job.prompt_origin.subject or job.pixels.prompt))
    whole = scorer.match(rgb, reading.judged or "")
    if boxes:
        known = [(box, one.judged) for box, one in boxes if one.judged is not None]
        levels = [scorer.match(crop(rgb, box), text).adherence for box, text in known]
        lost = [words for _, one in boxes for words in one.not_judged]
        return _Comparison(min(levels, default=None), whole.embedding, tuple(dict.fromkeys(lost)))
    return _Comparison(None if reading.judged is None else whole.adherence, whole.embedding, reading.not_judged)


def _words_of(job: Job, text: str) -> str:
    """What a text of a job wants to be seen, without the syntax that it is written in."""
    return wanted_text(text) if job.pixels.prompt_syntax == WEIGHTS else text
