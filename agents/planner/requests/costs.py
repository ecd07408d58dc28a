"""COSTS: what a client's pictures cost."""

from agents.planner.requests import cost_report
from agents.planner.requests.handler import Handlers, RequestResources
from agents.planner.requests.owned_batches import load_owned_batch
from protocol.commands import Costs
from protocol.replies import Reply


async def costs(resources: RequestResources, command: Costs, client: str) -> Reply:
    """A page of costs; of one batch only where it is the client's."""
    report = await resources.ledger.read(lambda connection: cost_report.report(connection, client, command))
    if command.hash is not None and report.costs.total.cost is None:
        await load_owned_batch(resources, command.hash, client)  # one that is the client's and was charged nothing
    return report


HANDLERS: Handlers = {Costs: costs}
