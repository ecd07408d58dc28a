"""Commands about a client's batches: APPROVE, and those that change how a batch goes on."""

import secrets
import time
from typing import get_args

import structlog
from sqlalchemy import Connection

from agents.planner.ledger.batches import load_batch
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import load_owned_batch, require_owned
from agents.planner.transitions import accept
from agents.planner.transitions.client_commands import BatchCommand, apply_batch_command
from protocol.commands import Approve, Pause
from protocol.errors import Refused, Unavailable
from protocol.replies import Reply

log = structlog.get_logger()


async def approve(resources: RequestResources, command: Approve, client: str) -> Reply:
    """Start a held plan; returns where the batch stands after it."""
    batch = await load_owned_batch(resources, command.hash, client)
    if batch.approval is None or not secrets.compare_digest(batch.approval, command.approval):
        raise Refused("wrong_state", "this is not the approval token of the plan", path="$.approval")
    now = time.time()
    change = await resources.ledger.write(
        lambda connection: enqueue(connection, accept.approve(connection, batch, resources.window, now), now)
    )
    await resources.changes.publish(change)
    return (await load_owned_batch(resources, command.hash, client)).status


async def change_batch(resources: RequestResources, command: BatchCommand, client: str) -> Reply:
    """Carry out what a client asks of its batch; returns where the batch stands after it."""
    now = time.time()

    def work(connection: Connection) -> Change:
        batch = require_owned(load_batch(connection, command.hash), command.hash, client)
        return enqueue(connection, apply_batch_command(connection, batch, command, resources.window, now), now)

    change = await resources.ledger.write(work)
    await resources.changes.publish(change)
    if isinstance(command, Pause):
        await _purge_generation(resources, command.hash)
    assert change.status is not None
    return change.status


async def _purge_generation(resources: RequestResources, name: str) -> None:
    """Empty the generators' queue of a paused batch. What stays in it costs a few pictures and no more."""
    try:
        await resources.outlet.purge_generation(name)
    except Unavailable as error:
        log.warning("queued work of a paused batch stays in the queue", batch=name, error=str(error))


HANDLERS: Handlers = {Approve: approve, **dict.fromkeys(get_args(BatchCommand), change_batch)}
