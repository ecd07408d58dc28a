"""What happens after a picture was judged or a stage gave up: the only place where new attempts are decided.

Pure module.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from protocol.errors import ErrorBody
from protocol.ids import MAX_SEED


@dataclass(frozen=True)
class Candidate:
    """A judged attempt. `score` is null where nothing was scored."""

    attempt: int
    score: float | None


@dataclass(frozen=True)
class Decision:
    """`again`: make attempt number `attempt`. `keep`: file attempt `attempt` as the best candidate and fail the
    picture. `fail`: fail it with nothing to keep."""

    action: Literal["again", "keep", "fail"]
    attempt: int = 0


def after_rejection(candidates: Sequence[Candidate], made: int, max_attempts: int) -> Decision:
    """What follows when attempt number `made` was rejected; `candidates` are all rejected attempts with pixels."""
    if made % max_attempts:
        return Decision("again", made + 1)
    return keep_best(candidates)


def after_failure(error: ErrorBody, candidates: Sequence[Candidate], made: int, max_attempts: int) -> Decision:
    """What follows when a stage gave up on attempt number `made`. Only a retryable error is worth another attempt."""
    if error.retryable and made % max_attempts:
        return Decision("again", made + 1)
    return keep_best(candidates)


def after_loss(error: ErrorBody, kept: bool, made: int, max_attempts: int) -> Decision:
    """What follows when storage gave up on attempt number `made`. Pixels that are gone are made again, but for those of
    a best candidate (`kept`): the attempts after it were made already."""
    if error.code == "pixels_missing" and not kept and made % max_attempts:
        return Decision("again", made + 1)
    return Decision("fail")


def next_round(made: int, max_attempts: int) -> int:
    """Number of the first attempt of a retry. Every round has `max_attempts` numbers, so that the attempts that are
    left follow from the number alone; those that a round did not use are skipped."""
    return made - 1 - (made - 1) % max_attempts + max_attempts + 1


def keep_best(candidates: Sequence[Candidate]) -> Decision:
    """File the best of rejected attempts where there is one, and fail the picture."""
    if not candidates:
        return Decision("fail")
    best = max(
        candidates,
        key=lambda candidate: (candidate.score if candidate.score is not None else -1.0, -candidate.attempt),
    )
    return Decision("keep", best.attempt)


def seed_of(base: int, index: int, attempt: int) -> int:
    """Seed of one attempt: `base + index` for the first, so that a person can name it; a hash for later ones, so that
    a new attempt never repeats a neighbour's seed."""
    if attempt == 1:
        return (base + index) % (MAX_SEED + 1)
    digest = hashlib.blake2b(f"{base}/{index}/{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) & MAX_SEED
