"""The catalogue: one row per stored picture, in SQLite or PostgreSQL.

A picture of a batch has one row whatever is delivered twice; an accepted picture is replaced by one alone that was made
to replace it.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct

from agents.shared.database.engine import migrate, open_engine
from agents.shared.database.group_commit import GroupCommit
from agents.storage import names
from agents.storage.record import Record, flat_fields
from protocol.messages import StoreImage
from protocol.pixels import pixel_digest

MIGRATIONS = Path(__file__).parent / "migrations"

images = sa.Table(
    "images",
    sa.MetaData(),
    sa.Column("image_id", sa.String(128), primary_key=True),
    sa.Column("client", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("index", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("disposition", sa.String(16), nullable=False),
    sa.Column("key", sa.String(512), nullable=False),
    sa.Column("path", sa.Text),
    sa.Column("blob", sa.String(64), nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("negative_prompt", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("model_version", sa.Text),
    sa.Column("sampler", sa.Text, nullable=False),
    sa.Column("steps", sa.Integer, nullable=False),
    sa.Column("guidance", sa.Float, nullable=False),
    sa.Column("section", sa.Text),
    sa.Column("style", sa.Text),
    sa.Column("score", sa.Float),
    sa.Column("colour", sa.String(32)),
    sa.Column("embedding", sa.LargeBinary),
    sa.Column("signature", sa.LargeBinary),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("record", sa.JSON, nullable=False),
    sa.Column("digest", sa.String(64)),
    sa.UniqueConstraint("hash", "index"),
)
"""What the newest migration made."""

_IS_PICTURE = sa.and_(images.c.hash == sa.bindparam("of_hash"), images.c["index"] == sa.bindparam("of_index"))
_FIND = sa.select(images).where(_IS_PICTURE)
_FIND_ALL = sa.select(images).where(
    images.c.hash == sa.bindparam("of_hash"), images.c["index"].in_(sa.bindparam("of_indices", expanding=True))
)
_INSERT = images.insert()
_REPLACE = images.update().where(_IS_PICTURE)
_NEWEST_FIRST = (images.c.created_at.desc(), images.c.image_id)
_NEWEST_BY_DIGEST = (
    sa.select(
        images.c.image_id,
        sa.func.row_number().over(partition_by=images.c.digest, order_by=_NEWEST_FIRST).label("place"),
    )
    .where(
        images.c.client == sa.bindparam("of_client"),
        images.c.digest.in_(sa.bindparam("of_digests", expanding=True)),
        images.c.disposition == "accepted",
    )
    .subquery()
)
_FIND_BY_DIGEST = sa.select(images).where(
    images.c.image_id.in_(sa.select(_NEWEST_BY_DIGEST.c.image_id).where(_NEWEST_BY_DIGEST.c.place == 1))
)


class CatalogueRow(Struct, frozen=True, kw_only=True):
    """One row. `path` is relative to the pictures' folder, null where the picture is in the blob store alone; `record`
    is everything that the picture's file says; `digest` that of its pixels (`protocol.pixels`), null where the hash of
    the weights is not known."""

    image_id: str
    client: str
    hash: str
    index: int
    attempt: int
    disposition: str
    key: str
    path: str | None
    blob: str
    width: int
    height: int
    prompt: str
    negative_prompt: str
    seed: int
    model: str
    model_version: str | None
    sampler: str
    steps: int
    guidance: float
    section: str | None
    style: str | None
    score: float | None
    colour: str | None
    embedding: bytes | None
    signature: bytes | None
    created_at: str
    record: dict[str, Any]
    digest: str | None = None


def row_of(message: StoreImage, record: Record, path: Path | None) -> CatalogueRow:
    """The catalogue row of a picture; `path` is relative to the pictures' folder, null where it has no file."""
    version, assessment = message.picture.model_version, message.assessment
    return CatalogueRow(
        image_id=record.image_id,
        client=record.client,
        hash=record.batch,
        index=record.index,
        attempt=record.attempt,
        disposition=record.disposition,
        key=names.image_key(record.client, record.image_id),
        path=path.as_posix() if path else None,
        blob=record.blob,
        width=record.width,
        height=record.height,
        prompt=record.pixels.prompt,
        negative_prompt=record.pixels.negative_prompt,
        seed=record.pixels.seed,
        model=record.pixels.model,
        model_version=record.model_version,
        sampler=record.pixels.sampler,
        steps=record.pixels.steps,
        guidance=record.pixels.guidance,
        section=record.section,
        style=record.style,
        score=record.score,
        colour=record.colour,
        embedding=assessment.embedding,
        signature=assessment.signature,
        created_at=record.created_at,
        record=msgspec.to_builtins(flat_fields(record)),
        digest=pixel_digest(message.job.pixels, version) if version else None,
    )


def stands_against(held: CatalogueRow, message: StoreImage) -> bool:
    """Whether an existing row takes precedence over a picture that is to be filed."""
    return _stands(held, message.disposition, message.job.attempt, replaces=message.job.replaces is not UNSET)


def _stands(held: CatalogueRow, disposition: str, attempt: int, *, replaces: bool) -> bool:
    if replaces and held.attempt < attempt:
        return False
    return held.disposition == "accepted" or disposition == "kept"


class Catalogue:
    """The catalogue's calls. Opened by `catalogue()`."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    async def find(self, batch: str, index: int) -> CatalogueRow | None:
        """The row of a picture, or null."""
        return await self._commits.read(lambda connection: _find_row(connection, batch, index))

    async def add(self, entry: CatalogueRow, *, replaces: bool = False) -> CatalogueRow:
        """Add a row durably; returns the row that is there now: an earlier one if that takes precedence. One that
        `replaces` takes the place of an accepted picture of an earlier attempt.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database refused or failed; nothing was added.
        """

        return await self._commits.write_each(_add_rows, (entry, replaces))

    async def list_batch(self, client: str, batch: str, limit: int, after: int = -1) -> Sequence[CatalogueRow]:
        """The first rows of a batch that follow the index `after`, in the order of their index."""
        query = (
            sa.select(images)
            .where(images.c.client == client, images.c.hash == batch, images.c["index"] > after)
            .order_by(images.c["index"])
            .limit(limit)
        )
        return await self._commits.read(
            lambda connection: [CatalogueRow(**row) for row in connection.execute(query).mappings()]
        )

    async def find_by_digest(self, client: str, digests: Sequence[str]) -> Sequence[CatalogueRow]:
        """The rows of a client's accepted pictures with these digests, the newest one of each."""
        sought = {"of_client": client, "of_digests": list(digests)}
        return await self._commits.read(
            lambda connection: [CatalogueRow(**row) for row in connection.execute(_FIND_BY_DIGEST, sought).mappings()]
        )

    async def list_ordered_before(self, ordered: str, after: tuple[str, str], limit: int) -> Sequence[CatalogueRow]:
        """Rows of pictures that were ordered before a time, in ISO 8601, the oldest first; those that follow `after`,
        a time and an id."""
        place = sa.tuple_(images.c.created_at, images.c.image_id)
        query = sa.select(images).where(images.c.created_at < ordered, place > sa.tuple_(*after))
        in_order = query.order_by(images.c.created_at, images.c.image_id).limit(limit)
        return await self._commits.read(
            lambda connection: [CatalogueRow(**row) for row in connection.execute(in_order).mappings()]
        )

    async def blobs_without_file(self, blobs: Sequence[str], ordered: str) -> set[str]:
        """Which of these blobs are the pixels of a picture without a file that was ordered since a time."""
        query = sa.select(images.c.blob).where(
            images.c.blob.in_(blobs), images.c.path.is_(None), images.c.created_at >= ordered
        )
        return await self._commits.read(lambda connection: set(connection.execute(query).scalars()))

    async def remove(self, image_ids: Sequence[str]) -> None:
        """Remove rows; rows that do not exist are ignored."""
        gone = sa.delete(images).where(images.c.image_id.in_(image_ids))
        await self._commits.write(lambda connection: connection.execute(gone).rowcount)

    async def count(self, client: str, batch: str) -> int:
        """How many rows a batch has."""
        query = sa.select(sa.func.count()).select_from(images).where(images.c.client == client, images.c.hash == batch)
        return await self._commits.read(lambda connection: connection.execute(query).scalar_one())


@asynccontextmanager
async def open_catalogue(url: str) -> AsyncGenerator[Catalogue]:
    """The catalogue of a database URL, brought to the newest revision."""
    engine = open_engine(url)
    try:
        await asyncio.to_thread(migrate, engine, MIGRATIONS)
        async with GroupCommit(engine) as commits:
            yield Catalogue(commits)
    finally:
        engine.dispose()


def _add_rows(connection: sa.Connection, additions: Sequence[tuple[CatalogueRow, bool]]) -> list[CatalogueRow]:
    """Add rows that came together, each with whether it replaces one; returns for each the row that is there now."""
    rows = _find_existing(connection, [entry for entry, _ in additions])
    added: dict[tuple[str, int], CatalogueRow] = {}
    put: list[CatalogueRow] = []
    for entry, replaces in additions:
        place = (entry.hash, entry.index)
        held = rows.get(place)
        if held is not None and _stands(held, entry.disposition, entry.attempt, replaces=replaces):
            put.append(held)
            continue
        if held is None or place in added:
            added[place] = entry
        else:
            values = msgspec.structs.asdict(entry) | {"of_hash": entry.hash, "of_index": entry.index}
            connection.execute(_REPLACE, values)
        rows[place] = entry
        put.append(entry)
    if added:
        connection.execute(_INSERT, [msgspec.structs.asdict(entry) for entry in added.values()])
    return put


def _find_existing(connection: sa.Connection, entries: Sequence[CatalogueRow]) -> dict[tuple[str, int], CatalogueRow]:
    """The rows that are there for these pictures, with one statement for each batch."""
    indices: dict[str, list[int]] = {}
    for entry in entries:
        indices.setdefault(entry.hash, []).append(entry.index)
    return {
        (name, row["index"]): CatalogueRow(**row)
        for name, wanted in indices.items()
        for row in connection.execute(_FIND_ALL, {"of_hash": name, "of_indices": wanted}).mappings()
    }


def _find_row(connection: sa.Connection, batch: str, index: int) -> CatalogueRow | None:
    row = connection.execute(_FIND, {"of_hash": batch, "of_index": index}).mappings().one_or_none()
    return None if row is None else CatalogueRow(**row)
