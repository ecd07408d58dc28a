"""COSTS: what a client's pictures cost."""

from sqlalchemy import Connection

from agents.planner.ledger.batches import load_batch
from agents.planner.requests import cost_report
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import require_owned
from protocol.commands import Costs
from protocol.replies import Reply


async def costs(resources: RequestResources, command: Costs, client: str) -> Reply:
    """A page of costs; of one batch only where it is the client's."""
    return await resources.ledger.read(lambda connection: read_costs(connection, command, client))


def read_costs(connection: Connection, command: Costs, client: str) -> Reply:
    """A page of costs; of one batch only where it is the client's.

    Raises:
        BadCommand: the span ends before it begins.
        Refused: `unknown_batch`.
    """
    report = cost_report.report(connection, client, command)
    if command.hash is not None and report.costs.total.cost is None:
        # One that is the client's and was charged nothing is known all the same.
        require_owned(load_batch(connection, command.hash), command.hash, client)
    return report


HANDLERS: Handlers = {Costs: costs}
