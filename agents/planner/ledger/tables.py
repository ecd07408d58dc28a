"""The ledger's tables, as its migrations leave them. Binary columns are JSON of the types that stand beside them.

Times are seconds since the epoch, money integer micro-dollars. A batch costs one row and a cursor; a job's row is made
when it is handed out. `spend` and `audit` are only ever added to.
"""

from collections.abc import Iterable
from enum import StrEnum

import sqlalchemy as sa

from agents.planner.ledger.states import (
    LEGAL,
    AttemptState,
    BatchState,
    ClientState,
    IntentState,
    JobState,
    ReservationState,
)

metadata = sa.MetaData()

COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""SQLite counts up only where the key's type is spelt INTEGER."""


def _state_check(table: str, states: type[StrEnum]) -> sa.CheckConstraint:
    """The database refuses every other state."""
    return sa.CheckConstraint(f"state IN ({_listed(states)})", name=f"{table}_state")


def _place_check() -> sa.CheckConstraint:
    """The database refuses every pair of state and stage that is not in `LEGAL`."""
    stages = {state: [place[1] for place in LEGAL if place is not None and place[0] == state] for state in JobState}
    pairs = " OR ".join(f"state = '{state}' AND stage IN ({_listed(stages[state])})" for state in JobState)
    return sa.CheckConstraint(pairs, name="jobs_state_and_stage")


def _listed(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


clients = sa.Table(
    "clients",
    metadata,
    sa.Column("client_id", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # ClientState
    sa.Column("limit_micros", sa.BigInteger),  # the most that may be held and spent together; null is no limit
    sa.Column("held_micros", sa.BigInteger, nullable=False),
    sa.Column("spent_micros", sa.BigInteger, nullable=False),
    sa.Column("weight", sa.Integer, nullable=False),  # share of the workshop among clients
    sa.Column("max_in_flight", sa.Integer),  # null is no bound but the workshop's own
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    _state_check("clients", ClientState),
)

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # BatchState
    sa.Column("command", sa.LargeBinary, nullable=False),  # GenerateImages
    sa.Column("recipe", sa.LargeBinary, nullable=False),  # Recipe
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("cursor", sa.Integer, nullable=False),  # next index to hand out
    sa.Column("written", sa.Integer, nullable=False),  # prompts are written below this index
    sa.Column("tally", sa.LargeBinary, nullable=False),  # Tally
    sa.Column("priority", sa.String(16), nullable=False, server_default="batch"),  # interactive, batch
    sa.Column("parent", sa.String(64)),  # the batch whose pictures are made again
    sa.Column("not_before", sa.Float),
    sa.Column("deadline", sa.Float),
    sa.Column("approval", sa.String(64)),
    sa.Column("expires_at", sa.Float),
    sa.Column("contact_sheet", sa.Text),  # null until it is made, empty where none is due
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    _state_check("batches", BatchState),
)

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("client_id", sa.String(64), primary_key=True),
    sa.Column("command_id", sa.String(64), primary_key=True),
    sa.Column("payload", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), nullable=False),
    sa.Column("created_at", sa.Float, nullable=False),
)

prompt_pages = sa.Table(
    "prompt_pages",
    metadata,
    sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
    sa.Column("first", sa.Integer, primary_key=True),
    sa.Column("prompts", sa.LargeBinary, nullable=False),  # list[Prompt]
    sa.Column("stored", sa.LargeBinary),  # dict[int, StoredPicture] by index, null where none was found
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # JobState
    sa.Column("stage", sa.String(16), nullable=False),  # JobStage
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),  # the outstanding work message, to send it again
    sa.Column("resends", sa.Integer, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("outcome", sa.LargeBinary),  # Outcome
    sa.Column("parent", sa.String(128)),  # id of the picture that is made again
    sa.Column("reused", sa.String(128)),  # id of the stored picture that was returned instead
    _place_check(),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # AttemptState
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("seconds", sa.Float),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("evidence", sa.LargeBinary),  # Evidence
    sa.ForeignKeyConstraint(["hash", "index"], ["jobs.hash", "jobs.index"]),
    _state_check("attempts", AttemptState),
)

reservations = sa.Table(
    "reservations",
    metadata,
    sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
    sa.Column("client_id", sa.String(64), sa.ForeignKey("clients.client_id"), nullable=False),
    sa.Column("amount_micros", sa.BigInteger, nullable=False),  # all that was ever held for the batch
    sa.Column("settled_micros", sa.BigInteger, nullable=False),  # what its attempts cost, also beyond the amount
    sa.Column("released_micros", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # ReservationState
    _state_check("reservations", ReservationState),
)

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("provider", sa.String(64), nullable=False),
    sa.Column("request", sa.String(64), nullable=False),  # SHA-256 of the paid request
    sa.Column("key", sa.String(64), nullable=False),  # who asked: another key is another call
    sa.Column("max_micros", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # IntentState
    sa.Column("provider_reference", sa.String(256)),
    sa.Column("opened_at", sa.Float, nullable=False),
    sa.Column("closed_at", sa.Float),
    _state_check("intents", IntentState),
)

spend = sa.Table(
    "spend",
    metadata,
    sa.Column("id", COUNTER, primary_key=True, autoincrement=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("provider", sa.String(64), nullable=False),
    sa.Column("model", sa.Text),  # null where it was not written down
    sa.Column("kind", sa.String(16), nullable=False),  # ChargeKind
    sa.Column("micros", sa.BigInteger, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.UniqueConstraint("hash", "index", "attempt", "kind", name="spend_once"),
)

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("message_id", sa.String(256), primary_key=True),  # Nats-Msg-Id
    sa.Column("kind", sa.String(16), nullable=False),  # OutboxKind
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("payload", sa.LargeBinary, nullable=False),  # Work or GenerationStatus
    sa.Column("created_at", sa.Float, nullable=False),
)

blob_owners = sa.Table(
    "blob_owners",
    metadata,
    sa.Column("blob", sa.String(64), primary_key=True),
    sa.Column("client_id", sa.String(64), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
)
"""Whose pixels a blob has: of who brought them, and of who had them made."""

marks = sa.Table(
    "marks",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("at", sa.Float, nullable=False),  # how far in time something has come
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", COUNTER, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64)),
    sa.Column("index", sa.Integer),
    sa.Column("what", sa.String(32), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),  # JSON
)
