"""Whose picture is next: two classes of priority with ageing, and clients in turn by deficit round robin.

Pure apart from its own state, which is a memory of the ledger: the ledger is looked at before anything is handed out.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocol.parameters import ServiceClass

AGE_S = 30.0
"""Seconds without a picture after which a batch of the lower class waits among the upper one, for one picture."""


@dataclass
class BatchDemand:
    """A batch as the window sees it: `ready` pictures could be handed out now, `in_flight` were and hold a place."""

    hash: str
    client: str
    platform: str
    priority: ServiceClass
    ready: int
    in_flight: int


@dataclass(frozen=True)
class Share:
    """What a client may have: pictures in each of its turns, and in flight at once (null is no bound of its own)."""

    weight: int = 1
    max_in_flight: int | None = None


@dataclass
class _Flow:
    """The waiting batches of one client, which take turns, and the pictures that are left of the client's turn."""

    batches: "OrderedDict[str, None]" = field(default_factory=OrderedDict[str, None])
    deficit: int = 0


class _Ring:
    """Clients in turn. Deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) in which a picture costs 1: a turn
    that is cut short by a full window goes on when a place is free, and nothing is saved up while nothing waits."""

    def __init__(self) -> None:
        self._flows: OrderedDict[str, _Flow] = OrderedDict()

    def add(self, client: str, batch: str) -> None:
        self._flows.setdefault(client, _Flow()).batches.setdefault(batch)

    def drop(self, client: str, batch: str) -> None:
        if flow := self._flows.get(client):
            flow.batches.pop(batch, None)
            if not flow.batches:
                del self._flows[client]

    def take(self, room: Mapping[str, int], shares: Mapping[str, Share]) -> str | None:
        """The batch that the next picture is taken from. Clients without `room` are passed over."""
        for _ in range(len(self._flows)):
            client, flow = next(iter(self._flows.items()))
            share = shares.get(client, Share())
            if share.max_in_flight is not None and room[client] >= share.max_in_flight:
                flow.deficit = 0
                self._flows.move_to_end(client)
                continue
            if flow.deficit < 1:
                flow.deficit = max(1, share.weight)
            flow.deficit -= 1
            if flow.deficit < 1:
                self._flows.move_to_end(client)
            batch = next(iter(flow.batches))
            flow.batches.move_to_end(batch)
            return batch
        return None


@dataclass
class _PlatformQueue:
    """What waits for the generators of one platform. `since` is when a batch of the lower class was last given a
    picture, longest ago first; `aged` are those that wait among the upper class."""

    in_flight: int = 0
    upper: _Ring = field(default_factory=_Ring)
    lower: _Ring = field(default_factory=_Ring)
    waiting_since: "OrderedDict[str, float]" = field(default_factory=OrderedDict[str, float])
    aged: set[str] = field(default_factory=set[str])

    def ring_of(self, standing: BatchDemand) -> _Ring:
        return self.upper if standing.priority == "interactive" or standing.hash in self.aged else self.lower


class Window:
    """Pictures in flight of the whole workshop, at most `bound` for each platform, and the batches that wait."""

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self._demands: dict[str, BatchDemand] = {}
        self._queues: dict[str, _PlatformQueue] = {}
        self._in_flight_by_client: Counter[str] = Counter()
        self._shares: Mapping[str, Share] = {}

    @property
    def platforms(self) -> list[str]:
        """Platforms that something waits for or is made for."""
        return list(self._queues)

    def demand_of(self, name: str) -> BatchDemand:
        """What is known of a batch that waits or holds a place."""
        return self._demands[name]

    def update(self, standing: BatchDemand, now: float) -> None:
        """Take a batch as it stands now. One that neither waits nor holds a place is forgotten."""
        before = self._demands.pop(standing.hash, None)
        if before is not None:
            self._add_in_flight(before, -before.in_flight)
        keeps_its_turn = (
            before is not None and _queue_key(before) == _queue_key(standing) and before.ready and standing.ready
        )
        if before is not None and not keeps_its_turn:
            self._leave(before)
        if standing.ready or standing.in_flight:
            self._demands[standing.hash] = standing
            self._add_in_flight(standing, standing.in_flight)
            if standing.ready and not keeps_its_turn:
                self._enter(standing, now)

    def forget(self, name: str, now: float) -> None:
        """A batch that is not there any more waits for nothing and holds nothing."""
        if gone := self._demands.get(name):
            self.update(BatchDemand(name, gone.client, gone.platform, gone.priority, 0, 0), now)

    def replace_all(self, standings: Iterable[BatchDemand], shares: Mapping[str, Share], now: float) -> None:
        """Take every batch that waits or holds a place, and every client's share; what is not among them is gone."""
        self._shares = shares
        found = {standing.hash: standing for standing in standings}
        for name in self._demands.keys() - found.keys():
            self.forget(name, now)
        for standing in found.values():
            self.update(standing, now)

    def grant(self, platform: str, now: float) -> dict[str, int]:
        """Pictures to hand out by batch, as many as the platform has free places for. They count as handed out."""
        granted: dict[str, int] = {}
        line = self._queues.get(platform)
        if line is None:
            return granted
        self._promote_aged(line, now)
        while line.in_flight < self.bound:
            name = line.upper.take(self._in_flight_by_client, self._shares) or line.lower.take(
                self._in_flight_by_client, self._shares
            )
            if name is None:
                break
            granted[name] = granted.get(name, 0) + 1
            self._count_as_handed_out(line, self._demands[name], now)
        return granted

    def _count_as_handed_out(self, line: _PlatformQueue, standing: BatchDemand, now: float) -> None:
        self._add_in_flight(standing, 1)
        standing.in_flight += 1
        standing.ready -= 1
        if standing.hash in line.aged or not standing.ready:
            self._leave(standing)
            if standing.ready:
                self._enter(standing, now)
        elif standing.hash in line.waiting_since:
            line.waiting_since[standing.hash] = now
            line.waiting_since.move_to_end(standing.hash)

    def _enter(self, standing: BatchDemand, now: float) -> None:
        line = self._queues.setdefault(standing.platform, _PlatformQueue())
        line.ring_of(standing).add(standing.client, standing.hash)
        if standing.priority == "batch":
            line.waiting_since[standing.hash] = now

    def _leave(self, standing: BatchDemand) -> None:
        if line := self._queues.get(standing.platform):
            line.ring_of(standing).drop(standing.client, standing.hash)
            line.waiting_since.pop(standing.hash, None)
            line.aged.discard(standing.hash)

    def _promote_aged(self, line: _PlatformQueue, now: float) -> None:
        while line.waiting_since:
            name, since = next(iter(line.waiting_since.items()))
            if now - since < AGE_S:
                return
            standing = self._demands[name]
            line.lower.drop(standing.client, name)
            line.upper.add(standing.client, name)
            line.aged.add(name)
            del line.waiting_since[name]

    def _add_in_flight(self, standing: BatchDemand, change: int) -> None:
        if change:
            self._queues.setdefault(standing.platform, _PlatformQueue()).in_flight += change
            self._in_flight_by_client[standing.client] += change
            if not self._in_flight_by_client[standing.client]:
                del self._in_flight_by_client[standing.client]


def _queue_key(standing: BatchDemand) -> tuple[str, str, str]:
    return standing.platform, standing.client, standing.priority
