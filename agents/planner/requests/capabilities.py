"""CAPABILITIES: what the workshop can do right now, from the processes that are alive."""

from agents.planner.planning.capabilities import merge_presences
from agents.planner.requests import replies
from agents.planner.requests.handler import Handlers, RequestResources
from protocol.commands import Capabilities
from protocol.replies import Reply


async def capabilities(resources: RequestResources, command: Capabilities, client: str) -> Reply:
    """What can be asked for now."""
    presences = await resources.outlet.presences()
    return replies.capabilities_reply(list(presences), merge_presences(presences), resources.defaults.stand_in)


HANDLERS: Handlers = {Capabilities: capabilities}
