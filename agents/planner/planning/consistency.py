"""Which pictures of a batch are unlike the others, and whether one that was made again comes nearer to them. Pure
module.

Embeddings are unit vectors as little-endian float16, centres as little-endian float32. Likeness is the cosine to the
centre. Everything is taken in the order of the pictures' indices, so that the order in which they arrived decides
nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.commands import GenerateImages
from protocol.quality import ANY_MODEL


@dataclass(frozen=True)
class FiledPicture:
    """A completed picture of a batch. `next_attempt` is null where it stays as it is, `reference` where it follows the
    look of no picture."""

    index: int
    embedding: bytes | None
    next_attempt: int | None
    reference: bytes | None = None


@dataclass(frozen=True)
class Comparison:
    """The pictures of a batch beside each other. `outliers` are the likenesses below the bound by index, in the order
    of the index; the centre is null where nothing can be compared."""

    centre: bytes | None
    outliers: dict[int, float]


def compare(pictures: Sequence[FiledPicture], bound: float) -> Comparison:
    """Which pictures are less like the centre than `bound`: that of the references where all follow the same, else
    that of all pictures. Embeddings of another length than the first are those of another scorer, and left out."""
    known = [(picture.index, picture.embedding) for picture in pictures if picture.embedding]
    known.sort()
    known = [(index, embedding) for index, embedding in known if len(embedding) == len(known[0][1])]
    references = {picture.reference for picture in pictures if picture.reference}
    followed = [one for one in references if len(references) == 1 and known and len(one) == len(known[0][1])]
    if len(known) < (1 if followed else 2):
        return Comparison(None, {})
    vectors = np.stack([_vector(one) for one in followed or [embedding for _, embedding in known]])
    centre = _unit(vectors.sum(axis=0)).astype("<f4").tobytes()
    likenesses = {index: likeness(embedding, centre) for index, embedding in known}
    return Comparison(centre, {index: found for index, found in likenesses.items() if found < bound})


def likeness(embedding: bytes, centre: bytes) -> float:
    """The cosine of an embedding to a centre of the same scorer, to four places: what is shown is what was compared."""
    return round(float(_unit(_vector(embedding)) @ np.frombuffer(centre, "<f4").astype(np.float64)), 4)


def is_nearer(embedding: bytes | None, standing: bytes | None, centre: bytes | None) -> bool:
    """Whether a picture that was made again is nearer to the centre than the one that stands."""
    if embedding is None or standing is None or centre is None or len(embedding) * 2 != len(centre):
        return False
    return likeness(embedding, centre) > likeness(standing, centre)


def next_attempt(made: int, max_attempts: int) -> int | None:
    """The attempt after number `made`; null where a round of attempts is used up."""
    return made + 1 if made % max_attempts else None


def unmeasured_notes(command: GenerateImages, model: str, scorers: Collection[str] | None) -> list[str]:
    """What a plan does not honour: `scorers` are the models whose pictures QA can compare, null where no QA does."""
    if command.quality.consistency is None:
        return []
    if scorers is None:
        return ["consistency: no scorer is running, so pictures cannot be compared"]
    if model in scorers or ANY_MODEL in scorers:
        return []
    return [f"consistency: no scorer compares pictures of {model}"]


def enforcement_warnings(command: GenerateImages, max_attempts: int) -> list[str]:
    """How a plan will keep its pictures alike, and what that may cost."""
    bound = command.quality.consistency
    if not bound:
        return []
    centre = "their references" if command.references else "the centre of the batch"
    unlike = f"consistency: pictures whose likeness to {centre} is below {bound:g} are"
    if max_attempts == 1:
        return [f"{unlike} named and not made again, since max_attempts is 1"]
    return [
        f"{unlike} made again, each up to max_attempts ({max_attempts} in all); the highest cost counts every attempt"
    ]


def _vector(embedding: bytes) -> NDArray[np.float64]:
    return np.frombuffer(embedding[: len(embedding) // 2 * 2], "<f2").astype(np.float64)


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
