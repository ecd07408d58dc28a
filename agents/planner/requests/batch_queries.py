"""Questions about a client's batches: STATUS, RESULT, LIST."""

from agents.planner.requests import replies
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import load_owned_batch, wait_for_end
from protocol.commands import List, Result, Status
from protocol.replies import Reply


async def status(resources: RequestResources, command: Status, client: str) -> Reply:
    """Where a batch stands."""
    return (await load_owned_batch(resources, command.hash, client)).status


async def result(resources: RequestResources, command: Result, client: str) -> Reply:
    """A page of a batch's pictures, after its end or the wait that the command allows."""
    await wait_for_end(resources, command.hash, client, command.wait_s)
    return await result_page(resources, command.hash, client, command.first, command.count)


async def list_batches(resources: RequestResources, command: List, client: str) -> Reply:
    """A page of the client's batches."""
    return await resources.ledger.read(
        lambda connection: replies.batch_list_reply(connection, client, command.first, command.count)
    )


async def result_page(resources: RequestResources, name: str, client: str, first: int, count: int) -> Reply:
    """A page of a batch's pictures as they are now."""
    batch = await load_owned_batch(resources, name, client)
    return await resources.ledger.read(lambda connection: replies.result_reply(connection, batch, first, count))


HANDLERS: Handlers = {Status: status, Result: result, List: list_batches}
