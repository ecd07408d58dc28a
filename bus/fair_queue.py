"""Requests that wait, a bounded queue for each asker, served in turn. Pure module: the clock is the caller's.

Whoever asks more than is answered fills a queue of his own, and waits behind himself.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

MAX_WAITING = 256
"""Requests of one asker that may wait."""

MAX_WAITING_BYTES = 4 * 1024**2
"""Bytes of one asker's requests that may wait."""

MAX_IN_HAND = 8
"""Requests of one asker that are answered at once: what another has to wait for."""

MAX_ASKERS = 1024
"""Askers with requests that wait or are answered."""

MAX_REFUSALS_PER_S = 20
"""Refusals that one asker is told in a second; the others are counted. A flood is not answered with a flood."""


@dataclass
class _Asker(Generic[Item]):
    waiting: deque[tuple[float, int, Item]] = field(default_factory=deque[tuple[float, int, Item]])
    waiting_bytes: int = 0
    in_hand: int = 0
    answered_s: float = 0.05


@dataclass(frozen=True)
class Refusal:
    """A request that found no room. `retry_after_s`: when there may be some. `told`: whether to answer it at all."""

    retry_after_s: float
    told: bool


class FairQueue(Generic[Item]):
    """One endpoint's."""

    def __init__(
        self,
        max_waiting: int = MAX_WAITING,
        max_in_hand: int = MAX_IN_HAND,
        max_askers: int = MAX_ASKERS,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self._max_waiting = max_waiting
        self._max_in_hand = max_in_hand
        self._max_waiting_bytes = max_waiting_bytes
        self._max_askers = max_askers
        self._askers: OrderedDict[str, _Asker[Item]] = OrderedDict()
        self._refused: dict[str, int] = {}
        self._refused_in = 0.0
        self.untold_count = 0
        """Refusals that nobody was told of."""

    def put(self, asker: str, item: Item, size: int, now: float) -> Refusal | None:
        """Let a request of `size` bytes wait; a refusal where there is no room for it. `now` in seconds of any clock
        that goes on."""
        found = self._askers.get(asker)
        if found is None:
            if len(self._askers) >= self._max_askers:
                return self._refuse(asker, 1.0, now)
            found = self._askers[asker] = _Asker()
        if len(found.waiting) >= self._max_waiting or (
            found.waiting and found.waiting_bytes + size > self._max_waiting_bytes
        ):
            turns = len(found.waiting) / self._max_in_hand
            return self._refuse(asker, max(0.1, turns * found.answered_s), now)
        found.waiting.append((now, size, item))
        found.waiting_bytes += size
        return None

    def take(self) -> tuple[str, float, Item] | None:
        """The next request, of the asker whose turn it is, and since when it waits; null where none may be begun."""
        for asker, found in self._askers.items():
            if found.waiting and found.in_hand < self._max_in_hand:
                since, size, item = found.waiting.popleft()
                found.waiting_bytes -= size
                found.in_hand += 1
                self._askers.move_to_end(asker)
                return asker, since, item
        return None

    def end(self, asker: str, seconds: float) -> None:
        """A request of this asker is answered, after so many seconds."""
        found = self._askers[asker]
        found.in_hand -= 1
        found.answered_s += (seconds - found.answered_s) / 8  # a mean that forgets
        if not found.waiting and not found.in_hand:
            del self._askers[asker]

    def _refuse(self, asker: str, retry_after_s: float, now: float) -> Refusal:
        if now - self._refused_in >= 1:
            self._refused, self._refused_in = {}, now
        told = len(self._refused) < self._max_askers and self._refused.get(asker, 0) < MAX_REFUSALS_PER_S
        if told:
            self._refused[asker] = self._refused.get(asker, 0) + 1
        else:
            self.untold_count += 1
        return Refusal(round(min(retry_after_s, 10.0), 1), told)
