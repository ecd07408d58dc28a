"""The ledger's tables, as its migrations leave them, and the records kept in their binary columns (JSON).

Times are seconds since the epoch. A batch costs one row and a cursor; a job's row is made when it is handed out.
"""

import sqlalchemy as sa
from msgspec import Struct

from protocol.errors import ErrorBody
from protocol.messages import Assessment, Job, Picture

metadata = sa.MetaData()

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("client_id", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),  # held, running, completed, cancelled
    sa.Column("command", sa.LargeBinary, nullable=False),  # GenerateImages
    sa.Column("recipe", sa.LargeBinary, nullable=False),  # Recipe
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("cursor", sa.Integer, nullable=False),  # next index to hand out
    sa.Column("written", sa.Integer, nullable=False),  # prompts are written below this index
    sa.Column("tally", sa.LargeBinary, nullable=False),  # Tally
    sa.Column("approval", sa.String(64)),
    sa.Column("expires_at", sa.Float),
    sa.Column("contact_sheet", sa.Text),  # null until it is made, empty where none is due
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
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
)

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("hash", sa.String(64), sa.ForeignKey("batches.hash"), primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # running, cancelling, completed, failed, cancelled
    sa.Column("stage", sa.String(16), nullable=False),  # generator, qa, storage, done
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("message", sa.LargeBinary, nullable=False),  # the outstanding work message, to send it again
    sa.Column("resends", sa.Integer, nullable=False),
    sa.Column("updated_at", sa.Float, nullable=False),
    sa.Column("outcome", sa.LargeBinary),  # Outcome
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),
    sa.Column("index", sa.Integer, primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),  # running, accepted, rejected, failed
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("score", sa.Float),
    sa.Column("seconds", sa.Float),
    sa.Column("cost_micros", sa.BigInteger),
    sa.Column("evidence", sa.LargeBinary),  # Evidence
)


class Evidence(Struct, frozen=True, kw_only=True):
    """What is known of an attempt that made pixels. The embedding is dropped once it is summed."""

    job: Job
    picture: Picture
    assessment: Assessment | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """How a job ended. `key`, `path`, `url` are null where nothing was filed."""

    key: str | None = None
    path: str | None = None
    url: str | None = None
    attempt: int | None = None
    error: ErrorBody | None = None
    finished_at: float | None = None
