"""Transitions by which a batch begins: a plan is accepted, a held one approved."""

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.audit import note
from agents.planner.ledger.batches import Batch, require_batch
from agents.planner.ledger.states import PROMPTS_PER_PAGE, BatchState
from agents.planner.ledger.tables import batches, commands
from agents.planner.money.clients import admit, check_admitted, client_row, refuse_suspended
from agents.planner.money.reservations import reserve
from agents.planner.outbox.change import Change
from agents.planner.scheduling.hand_out import advance
from agents.planner.scheduling.upgrade import add_page, write_originals
from agents.planner.scheduling.window import Window
from agents.planner.scheduling.work_messages import prompts_request
from agents.planner.transitions.bounds import Bounds, refuse_more_clients, refuse_too_many
from bus.accounts import LOCAL_CLIENT
from protocol.errors import Refused
from protocol.messages import Job

_encode = msgspec.json.encode


def find_batch_of_command(connection: Connection, client: str, command_id: str | None, payload: str) -> Batch | None:
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
    return require_batch(connection, made.hash)


def accept(
    connection: Connection,
    batch: Batch,
    command_id: str | None,
    payload: str,
    window: Window,
    now: float,
    originals: list[Job] | None = None,
    open_door: bool | None = None,
    bounds: Bounds | None = None,
) -> tuple[Batch, Change]:
    """Commit a new plan, or find the one that this command id already made. `originals` are the jobs of the pictures
    that an upgrade names; one of a whole batch finds them by itself.

    Raises:
        Refused: `command_conflict` where the id was used for another payload; `exceeds_budget`, `suspended`;
            `unknown_client` where the door is not open.
        Unavailable: `queue_full` where the client has more than `bounds` leave it.
    """
    if (first := find_batch_of_command(connection, batch.client_id, command_id, payload)) is not None:
        return first, Change(client_id=first.client_id)
    if bounds is not None:
        refuse_too_many(connection, batch, bounds)
    check_admitted(connection, batch.client_id, open_door)
    if bounds is not None and batch.client_id != LOCAL_CLIENT and client_row(connection, batch.client_id) is None:
        refuse_more_clients(connection, bounds)
    admit(connection, batch.client_id, now, open_door)
    if batch.parent is None:
        batch.tally.ask_prompts(batch.written)
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
            priority=batch.priority,
            parent=batch.parent,
            not_before=batch.not_before,
            deadline=batch.deadline,
            approval=batch.approval,
            expires_at=batch.expires_at,
            created_at=batch.created_at,
            updated_at=now,
        )
    )
    reserve(connection, batch, now)
    note(connection, "accepted", batch.client_id, now, batch.hash, quantity=batch.quantity, state=batch.state.value)
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
    if batch.parent is None:
        return batch, Change([prompts_request(batch)], status=batch.status, client_id=batch.client_id)
    if originals is None:
        write_originals(connection, batch, PROMPTS_PER_PAGE, now)
    else:
        for first in range(0, len(originals), PROMPTS_PER_PAGE):
            add_page(connection, batch, originals[first : first + PROMPTS_PER_PAGE], now)
    return batch, advance(connection, batch, window, now)


def approve(connection: Connection, batch: Batch, window: Window, now: float) -> Change:
    """Start a held plan.

    Raises:
        Refused: `wrong_state` where it is not held any more; `suspended`.
    """
    refuse_suspended(connection, batch.client_id)
    changed = connection.execute(
        sa.update(batches)
        .where(batches.c.hash == batch.hash, batches.c.state == BatchState.HELD, batches.c.expires_at >= now)
        .values(state=BatchState.RUNNING, updated_at=now)
    ).rowcount
    if changed != 1:
        raise Refused(
            "wrong_state", f"the batch {batch.hash} is not held any more", path="$.hash", hint="ask for its STATUS"
        )
    note(connection, "approved", batch.client_id, now, batch.hash)
    return advance(connection, require_batch(connection, batch.hash), window, now)
