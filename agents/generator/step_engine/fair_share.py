"""Whose step is next: two classes with ageing, clients in turn by deficit round robin in device milliseconds.

Pure, except that `FairShare` remembers what each client was given.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

AGE_S = 30.0
"""A step of the lower class that waited this long goes with the upper one."""

QUANTUM_MS = 10.0
"""Device time that a client is given at each turn: about a step of a small model, so that turns alternate within one
call; a step of a large one takes several turns."""


@dataclass(frozen=True)
class WaitingRun:
    """A picture whose next step could be made. `since` is when its last one ended, by the clock of `now`; `rows` and
    `cost_ms` are of that step; steps with the same `key` may share a call, others not; `alone` shares with nobody."""

    number: int
    client: str
    key: Hashable
    interactive: bool
    since: float
    rows: int
    cost_ms: float
    alone: bool = False


class FairShare:
    """The deficits of the clients, in the order of their turns."""

    def __init__(self) -> None:
        self._deficits: OrderedDict[str, float] = OrderedDict()

    def next_call(self, waiting: Sequence[WaitingRun], room: Callable[[Hashable], int], now: float) -> list[WaitingRun]:
        """Who shares the next call: the first in turn decides what kind of call it is, and others with the same key
        join in their turns while there is room. `room` is the most rows for a key; the first one always fits."""
        for client in [client for client in self._deficits if all(one.client != client for one in waiting)]:
            # Nothing is saved up while nothing waits.
            del self._deficits[client]
        upper = [one for one in waiting if one.interactive or now - one.since >= AGE_S]
        lower = [one for one in waiting if one not in upper]
        chosen: list[WaitingRun] = []
        free = 0
        for group in (upper, lower):
            left = sorted(group, key=lambda one: (one.since, one.number))
            while left and (not chosen or free > 0):
                one = self._pick_by_deficit(
                    left if not chosen else [one for one in left if _may_join(one, chosen[0], free)]
                )
                if one is None:
                    break
                left.remove(one)
                free = (room(one.key) if not chosen else free) - one.rows
                chosen.append(one)
                if one.alone:
                    return chosen
        return chosen

    def _pick_by_deficit(self, left: Sequence[WaitingRun]) -> WaitingRun | None:
        """The next by deficit round robin, charged with the cost of its step."""
        if not left:
            return None
        for one in left:
            self._deficits.setdefault(one.client, 0.0)
        while True:
            client = next(iter(self._deficits))
            mine = next((one for one in left if one.client == client), None)
            if mine is not None and self._deficits[client] >= mine.cost_ms:
                self._deficits[client] -= mine.cost_ms
                return mine
            self._deficits.move_to_end(client)
            if mine is not None:
                self._deficits[client] += QUANTUM_MS


def _may_join(one: WaitingRun, first: WaitingRun, free: int) -> bool:
    return one.key == first.key and one.rows <= free and not one.alone
