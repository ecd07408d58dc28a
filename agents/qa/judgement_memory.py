"""What QA remembers of recent batches: the verdict and signature of each picture. It is bounded, and rebuilt from
events after a restart. Pure apart from its own state; used from one thread."""

from collections import OrderedDict
from dataclasses import dataclass

from agents.qa.signature import LENGTH, find_near_duplicate

MAX_BATCHES = 256
"""Batches remembered; the one that was used longest ago is forgotten first."""

MAX_PICTURES = 4096
"""Pictures remembered per batch, the newest: 4096 signatures are compared in about 2 ms."""


@dataclass(frozen=True)
class Judgement:
    """The last judgement of one index of a batch."""

    attempt: int
    signature: bytes
    accepted: bool
    near_duplicate: bool


class JudgementMemory:
    """Judgements by batch and index."""

    def __init__(self, batches: int = MAX_BATCHES, pictures: int = MAX_PICTURES) -> None:
        self._batches: OrderedDict[str, OrderedDict[int, Judgement]] = OrderedDict()
        self._max_batches, self._max_pictures = batches, pictures

    def has_near_duplicate(self, batch: str, index: int, attempt: int, signature: bytes) -> bool:
        """Whether an accepted picture of another index of the batch is nearly the same. An attempt that was judged
        before gets the same answer again: a message that is delivered twice must not meet pictures that were accepted
        in between."""
        pictures = self._batches.get(batch, OrderedDict())
        known = pictures.get(index)
        if known is not None and known.attempt == attempt:
            return known.near_duplicate
        others = [p.signature for i, p in pictures.items() if p.accepted and i != index]
        return find_near_duplicate(signature, others) is not None

    def record(self, batch: str, index: int, judgement: Judgement) -> None:
        """Remember a judgement; of several attempts at one index the newest stays."""
        if len(judgement.signature) != LENGTH:
            return
        pictures = self._batches.setdefault(batch, OrderedDict())
        self._batches.move_to_end(batch)
        known = pictures.get(index)
        if known is None or known.attempt <= judgement.attempt:
            pictures[index] = judgement
            pictures.move_to_end(index)
        while len(pictures) > self._max_pictures:
            pictures.popitem(last=False)
        while len(self._batches) > self._max_batches:
            self._batches.popitem(last=False)
