"""Questions about a client's batches: STATUS, RESULT, LIST."""

from sqlalchemy import Connection

from agents.planner.ledger.batches import load_batch
from agents.planner.requests import replies
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import require_owned, wait_for_end
from protocol.commands import List, Result, Status
from protocol.replies import Reply


async def status(resources: RequestResources, command: Status, client: str) -> Reply:
    """Where a batch stands."""
    return await resources.ledger.read(lambda connection: read_status(connection, command, client))


async def result(resources: RequestResources, command: Result, client: str) -> Reply:
    """A page of a batch's pictures, after its end or the wait that the command allows."""
    await wait_for_end(resources, command.hash, client, command.wait_s)
    return await resources.ledger.read(lambda connection: read_result(connection, command, client))


async def list_batches(resources: RequestResources, command: List, client: str) -> Reply:
    """A page of the client's batches."""
    return await resources.ledger.read(lambda connection: read_list(connection, command, client))


async def result_page(resources: RequestResources, name: str, client: str, first: int, count: int) -> Reply:
    """A page of a batch's pictures as they are now."""
    asked = Result(hash=name, first=first, count=count)
    return await resources.ledger.read(lambda connection: read_result(connection, asked, client))


def read_status(connection: Connection, command: Status, client: str) -> Reply:
    """Where a batch stands.

    Raises:
        Refused: `unknown_batch`.
    """
    return require_owned(load_batch(connection, command.hash), command.hash, client).status


def read_result(connection: Connection, command: Result, client: str) -> Reply:
    """A page of a batch's pictures as they are now.

    Raises:
        Refused: `unknown_batch`.
    """
    batch = require_owned(load_batch(connection, command.hash), command.hash, client)
    return replies.result_reply(connection, batch, command.first, command.count)


def read_list(connection: Connection, command: List, client: str) -> Reply:
    """A page of the client's batches."""
    return replies.batch_list_reply(connection, client, command.first, command.count)


HANDLERS: Handlers = {Status: status, Result: result, List: list_batches}
