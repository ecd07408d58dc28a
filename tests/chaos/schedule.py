"""From a seed to a campaign: what is ordered, what is done to whom and when, which failpoint each life is given.

Pure module: the same seed makes the same schedule.
"""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from protocol.messages import Role

Kind = Literal["kill", "freeze", "cut", "slow", "hole", "deaf", "server", "wipe", "repeat", "clock"]
"""SIGKILL; SIGSTOP, and SIGCONT after `seconds`; trouble of the line; the server killed, or killed and its store wiped;
everything said once more; the process killed and started again with another clock."""

WEIGHTS: Mapping[Kind, int] = {"kill": 30, "freeze": 4, "cut": 2, "slow": 1, "hole": 1, "deaf": 1, "repeat": 1}
"""How often each kind is drawn beside the kills of the server and of its store."""

CLOCK_S = 3600.0
"""How far a clock jumps, either way."""

POINTS: Mapping[str, tuple[Role, str, int]] = {
    "P1 command received": ("planner", "request.received", 2),
    "P2 in the transaction": ("planner", "sql.uncommitted", 8),
    "P3 committed, unsent": ("planner", "sql.committed", 8),
    "P4 half sent": ("planner", "message.sent", 8),
    "P5 sent, not answered": ("planner", "request.answered", 2),
    "P6 event received": ("planner", "message.received", 8),
    "P7 event handled, not acknowledged": ("planner", "message.published", 8),
    "R1 before the prompts": ("prompt", "message.received", 4),
    "R2 written, unsent": ("prompt", "message.handled", 4),
    "R3 sent, not acknowledged": ("prompt", "message.published", 4),
    "G1 job received": ("generator", "message.received", 6),
    "G2 while denoising": ("generator", "generator.denoised", 6),
    "G3 half a blob": ("generator", "blob.written", 6),
    "G4 blob renamed, unsaid": ("generator", "blob.renamed", 6),
    "G5 made, unsent": ("generator", "message.handled", 6),
    "G6 sent, not acknowledged": ("generator", "message.published", 6),
    "Q1 before the verdict": ("qa", "message.received", 6),
    "Q2 verdict unsent": ("qa", "message.handled", 6),
    "Q3 sent, not acknowledged": ("qa", "message.published", 6),
    "S1 before the file": ("storage", "message.received", 6),
    "S2 half a file": ("storage", "file.written", 10),
    "S3 filed, no row": ("storage", "sql.uncommitted", 4),
    "S4 row, not acknowledged": ("storage", "sql.committed", 4),
    "S5 between picture and sidecar": ("storage", "file.named", 10),
    "S6 told, not acknowledged": ("storage", "message.published", 6),
}
"""Point of the fault table -> (role, failpoint, the latest hit at which it is tried)."""


@dataclass(frozen=True)
class Order:
    """One batch: cancelled after `cancel_after` finished pictures where that is not null; `held` ones are approved."""

    client: str
    command_id: str
    quantity: int
    seed: int
    held: bool = False
    cancel_after: int | None = None


@dataclass(frozen=True)
class Fault:
    """Something bad, `gap` finished pictures after the fault before it; `overlapping` does not wait for its end."""

    kind: Kind
    target: str
    gap: int
    seconds: float = 0.0
    overlapping: bool = False


FULL: Mapping[str, tuple[Role, str, int]] = {
    "D1 no room for blobs": ("generator", "blob.written", 6),
    "D2 no room for files": ("storage", "file.written", 6),
    "D3 no room for the ledger": ("planner", "sql.uncommitted", 8),
    "D4 no room for the catalogue": ("storage", "sql.uncommitted", 4),
}
"""Where the disk is full for three writes. The process lives on, and is killed some messages later."""

PAID: Mapping[str, tuple[Role, str, int]] = {
    "A1 reserved, no intent": ("generator", "paid.unwritten", 6),
    "A2 intent, nothing sent": ("generator", "paid.written", 6),
    "A3 sent, no answer": ("generator", "paid.sent", 6),
    "A4 answer in memory": ("generator", "paid.answered", 6),
    "A5 captured, not filed": ("generator", "paid.captured", 6),
    "A6 sent on, not acknowledged": ("generator", "message.published", 6),
    "A7 intent committed, unanswered": ("planner", "sql.committed", 12),
}
"""Points of a generator that pays, and of the planner that it asks."""


def orders(seed: int, count: int) -> list[Order]:
    """Batches of two clients; a sixth is cancelled on the way, an eighth held first."""
    chance = random.Random(f"orders {seed}")
    made: list[Order] = []
    for number in range(count):
        quantity = chance.randint(4, 16)
        cancel = chance.randrange(quantity - 1) if chance.random() < 1 / 6 else None
        made.append(
            Order(
                client=chance.choice(("anna", "ben")),
                command_id=f"order-{seed}-{number}",
                quantity=quantity,
                seed=chance.randrange(2**32),
                held=chance.random() < 1 / 8,
                cancel_after=cancel,
            )
        )
    return made


def faults(seed: int, kills: int, crew: Sequence[str]) -> list[Fault]:
    """A run of faults with `kills` kills of processes in it; for each 20 of them the server is killed, for each 40 the
    planner's clock jumps."""
    chance = random.Random(f"faults {seed}")
    kinds: list[Kind] = []
    while kinds.count("kill") < kills:
        kinds.extend(chance.choices(list(WEIGHTS), list(WEIGHTS.values())))
    for _ in range(kills // 20):
        kinds.insert(chance.randrange(len(kinds) + 1), "server")
    for _ in range(kills // 40):
        kinds.insert(chance.randrange(len(kinds) + 1), "clock")
    return [_fault(kind, chance, crew) for kind in kinds]


def wipes(seed: int, count: int) -> list[Fault]:
    """The server killed and its store wiped, `count` times, at any moment of the work."""
    chance = random.Random(f"wipes {seed}")
    return [Fault("wipe", "nats", gap=chance.randint(1, 30)) for _ in range(count)]


def _fault(kind: Kind, chance: random.Random, crew: Sequence[str]) -> Fault:
    target = {"server": "nats", "wipe": "nats", "repeat": "all", "clock": "planner-0"}.get(kind) or chance.choice(crew)
    seconds = {"freeze": chance.uniform(1, 12), "cut": chance.uniform(0.5, 5), "slow": chance.uniform(1, 4)}
    return Fault(
        kind=kind,
        target=target,
        gap=chance.randint(0, 12),
        seconds=round(seconds.get(kind, chance.uniform(1, 6)), 2),
        overlapping=chance.random() < 0.3,
    )


def arms(
    seed: int,
    passes: int,
    crew: Sequence[str],
    points: Mapping[str, tuple[Role, str, int]],
    full: Mapping[str, tuple[Role, str, int]] | None = None,
) -> dict[str, deque[str]]:
    """For each process the failpoints of its lives, so that each point is passed `passes` times by its role; at the
    points of `full` the disk is full."""
    chance = random.Random(f"failpoints {seed}")
    lives: dict[Role, list[str]] = {}
    for role, point, latest in (full or {}).values():
        for hit in (chance.randint(1, latest) for _ in range(passes)):
            lives.setdefault(role, []).append(f"{point}=full@{hit}-{hit + 2},message.handled=kill@{hit + 12}")
    for role, point, latest in points.values():
        lives.setdefault(role, []).extend(f"{point}=kill@{chance.randint(1, latest)}" for _ in range(passes))
    dealt: dict[str, deque[str]] = {name: deque() for name in crew}
    for role, its_lives in lives.items():
        chance.shuffle(its_lives)
        members = [name for name in crew if name.startswith(f"{role}-")]
        for number, life in enumerate(its_lives):
            dealt[members[number % len(members)]].append(life)
    return dealt
