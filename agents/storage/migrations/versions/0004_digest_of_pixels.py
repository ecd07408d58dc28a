"""Digests are of all that decides the pixels as one JSON object; those that are here are made anew from the records."""

import hashlib
from typing import Any

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ROWS = 1000
"""Rows that are read at once."""

SETTINGS = ("steps", "guidance", "sampler", "model")
LISTS_AND_OBJECTS = ("loras", "init_image", "controls", "image_prompts", "regions", "post", "motion")

images = sa.table(
    "images",
    sa.column("image_id", sa.String),
    sa.column("model_version", sa.Text),
    sa.column("record", sa.JSON),
    sa.column("digest", sa.String),
)


def upgrade() -> None:
    connection, after = op.get_bind(), ""
    page = (
        sa.select(images)
        .where(images.c.digest.is_not(None), images.c.image_id > sa.bindparam("after"))
        .order_by(images.c.image_id)
        .limit(ROWS)
    )
    change = sa.update(images).where(images.c.image_id == sa.bindparam("of_image"))
    while rows := connection.execute(page, {"after": after}).all():
        connection.execute(
            change, [{"of_image": row.image_id, "digest": digest_of(row.record, row.model_version)} for row in rows]
        )
        after = rows[-1].image_id


def downgrade() -> None:
    """The digests of before are not made again: pictures of then are not found, and no wrong one is."""
    op.execute(sa.update(images).values(digest=None))


def digest_of(record: dict[str, Any], model_version: str) -> str:
    """The digest as it was defined with this revision. A record does not say whether the picture was strict."""
    size = record.get("generated") or record
    spec: dict[str, Any] = {"width": size["width"], "height": size["height"]}
    spec |= {name: record[name] for name in SETTINGS}
    spec |= {name: record[name] for name in LISTS_AND_OBJECTS if record.get(name)}
    spec["prompt"] = record["prompt"]
    spec |= {name: record[name] for name in ("negative_prompt", "references") if record.get(name)}
    spec["seed"] = record["seed"]
    return hashlib.sha256(msgspec.json.encode(spec) + b"\n" + model_version.encode()).hexdigest()
