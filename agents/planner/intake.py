"""Transitions that a client causes: accept a plan, approve, cancel; and the expiry of held plans."""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.rows import Batch, decode_batch, required
from agents.planner.tables import batches, commands, jobs
from agents.planner.window import Change, advance, settle, write_prompts
from protocol.errors import Refused

_encode = msgspec.json.encode


def known(connection: Connection, client: str, command_id: str | None, payload: str) -> Batch | None:
    """The batch that a command id already made, or null.

    Raises:
        Refused: `command_conflict` where the id was used for another payload.
    """
    if command_id is None:
        return None
    made = connection.execute(
        sa.select(commands.c.payload, commands.c.hash).where(
            commands.c.client_id == client, commands.c.command_id == command_id
        )
    ).first()
    if made is None:
        return None
    if made.payload != payload:
        raise Refused(
            "command_conflict",
            f"command_id {command_id!r} was used for another command",
            path="$.command_id",
            hint="give every new command an id of its own",
        )
    return required(connection, made.hash)


def accept(
    connection: Connection, batch: Batch, command_id: str | None, payload: str, now: float
) -> tuple[Batch, Change]:
    """Commit a new plan, or find the one that this command id already made.

    Raises:
        Refused: `command_conflict` where the id was used for another payload.
    """
    if (first := known(connection, batch.client_id, command_id, payload)) is not None:
        return first, Change(client_id=first.client_id)
    connection.execute(
        sa.insert(batches).values(
            hash=batch.hash,
            client_id=batch.client_id,
            state=batch.state,
            command=_encode(batch.command),
            recipe=_encode(batch.recipe),
            seed=batch.seed,
            quantity=batch.quantity,
            cursor=batch.cursor,
            written=batch.written,
            tally=_encode(batch.tally),
            approval=batch.approval,
            expires_at=batch.expires_at,
            created_at=batch.created_at,
            updated_at=now,
        )
    )
    if command_id is not None:
        connection.execute(
            sa.insert(commands).values(
                client_id=batch.client_id,
                command_id=command_id,
                payload=payload,
                hash=batch.hash,
                created_at=now,
            )
        )
    return batch, Change([write_prompts(batch)], batch.status, batch.client_id)


def approve(connection: Connection, batch: Batch, window: int, now: float) -> Change:
    """Start a held plan.

    Raises:
        Refused: `wrong_state` where it is not held any more.
    """
    changed = connection.execute(
        sa.update(batches)
        .where(batches.c.hash == batch.hash, batches.c.state == "held", batches.c.expires_at >= now)
        .values(state="running", updated_at=now)
    ).rowcount
    if changed != 1:
        raise Refused(
            "wrong_state", f"the batch {batch.hash} is not held any more", path="$.hash", hint="ask for its STATUS"
        )
    return advance(connection, required(connection, batch.hash), window, now)


def cancel(connection: Connection, batch: Batch, what: str, now: float) -> Change:
    """Stop a batch: what was not handed out is cancelled now, what is in flight when its process says so."""
    if batch.state in ("completed", "cancelled"):
        return Change(status=batch.status, client_id=batch.client_id, finished=True)
    batch.tally.cancelled += batch.quantity - batch.cursor
    batch.cursor = batch.quantity
    if what == "all":
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.hash == batch.hash, jobs.c.state == "running")
            .values(state="cancelling", updated_at=now)
        )
    return settle(connection, batch, Change(client_id=batch.client_id), now)


def expire(connection: Connection, now: float) -> list[Change]:
    """Cancel held plans whose time is over."""
    due = connection.execute(sa.select(batches).where(batches.c.state == "held", batches.c.expires_at < now)).mappings()
    return [cancel(connection, decode_batch(row), "all", now) for row in due.all()]
