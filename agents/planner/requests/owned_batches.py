"""Batches of the client that asks. Those of others are unknown to it."""

import asyncio

from agents.planner.ledger.batches import Batch, load_batch
from agents.planner.ledger.states import ENDED_BATCH_STATES
from agents.planner.requests.handler import RequestResources
from protocol.errors import Refused


def require_owned(batch: Batch | None, name: str, client: str) -> Batch:
    """The batch, which must be there and the client's.

    Raises:
        Refused: `unknown_batch`.
    """
    if batch is None or batch.client_id != client:
        raise Refused("unknown_batch", f"there is no batch {name!r} of this client", path="$.hash", hint="see LIST")
    return batch


async def load_owned_batch(resources: RequestResources, name: str, client: str) -> Batch:
    """A batch of the client's by its hash.

    Raises:
        Refused: `unknown_batch`.
    """
    return require_owned(await resources.ledger.read(lambda connection: load_batch(connection, name)), name, client)


async def wait_for_end(resources: RequestResources, name: str, client: str, seconds: float) -> bool:
    """Whether the batch ended, its contact sheet included, within `seconds`.

    Raises:
        Refused: `unknown_batch`.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        changed = resources.changes.next_change(name)
        batch = await load_owned_batch(resources, name, client)
        sheet_due = batch.contact_sheet is None and batch.tally.completed > 0
        if batch.state in ENDED_BATCH_STATES and not sheet_due:
            return True
        try:
            async with asyncio.timeout_at(deadline):
                await changed.wait()
        except TimeoutError:
            return batch.state in ENDED_BATCH_STATES
