"""A world whose pictures cost money, for tests of budgets and of paid calls."""

import random
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy import Engine

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.tables import clients, reservations, spend
from protocol.commands import Budget
from protocol.messages import Job, Picture
from tests.planner.workbench import World, new_batch

PRICE = 40_000
"""Micro-dollars of one attempt at the most."""


def priced_batch(
    quantity: int,
    *,
    name: str = "gen_batch_1",
    budget: float | None = None,
    client: str = "local",
    provider: str = "local",
) -> Batch:
    """A batch whose pictures have three attempts, each at PRICE at the most; `budget` in dollars."""
    batch = new_batch(quantity, name=name, max_attempts=3, client=client)
    price = {"highest_micros": PRICE, "price_micros": PRICE, "provider": provider}
    batch.recipe = msgspec.structs.replace(batch.recipe, **price)
    if budget is not None:
        batch.command = msgspec.structs.replace(batch.command, budget=Budget(amount=budget))
    return batch


@dataclass
class PricedWorld(World):
    """Each attempt costs what its seed draws, never above PRICE; or `dear` times that price."""

    dear: int | None = None

    def pictured(self, job: Job) -> Picture:
        cost = self.dear * PRICE if self.dear else random.Random(job.pixels.seed).randint(0, PRICE)
        return msgspec.structs.replace(super().pictured(job), cost_micros=cost)

    def client(self, name: str = "local") -> sa.RowMapping:
        return next(row for row in self.rows(clients) if row["client_id"] == name)

    def money(self, name: str = "local") -> tuple[int, int]:
        """What a client has held and spent."""
        row = self.client(name)
        return row["held_micros"], row["spent_micros"]

    def limit(self, micros: int | None, name: str = "local", state: str = "active") -> None:
        """Make a client that may spend so much."""
        row = {"client_id": name, "state": state, "limit_micros": micros, "held_micros": 0, "spent_micros": 0}
        self.transact(lambda c: c.execute(sa.insert(clients).values(**row, weight=1, created_at=0, updated_at=0)))

    def charged(self) -> int:
        return sum(row["micros"] for row in self.rows(spend))

    def open_reservations(self) -> int:
        return sum(row["state"] == "open" for row in self.rows(reservations))


def priced_world(engine: Engine, seed: int = 1, **trouble: float) -> PricedWorld:
    return PricedWorld(engine=engine, dice=random.Random(seed), **trouble)  # pyright: ignore[reportArgumentType]
