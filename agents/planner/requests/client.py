"""Answers the commands of clients: who asks is checked here, what is asked is answered by a handler of its own.

To add a command, write its handler in the file of its subject and name it in that file's `HANDLERS`.
"""

from agents.planner.requests import (
    accept_plan,
    batch_commands,
    batch_queries,
    capabilities,
    costs,
    upgrade_batch,
)
from agents.planner.requests.handler import Handlers, RequestResources
from protocol.commands import Command
from protocol.errors import BadCommand
from protocol.ids import is_id
from protocol.replies import Reply

HANDLERS: Handlers = {
    **accept_plan.HANDLERS,
    **upgrade_batch.HANDLERS,
    **batch_commands.HANDLERS,
    **batch_queries.HANDLERS,
    **capabilities.HANDLERS,
    **costs.HANDLERS,
}
"""Every command that is built. Those that are not are refused when they are decoded."""


class ClientRequests:
    """Answers commands from the ledger and from what is alive."""

    def __init__(self, resources: RequestResources) -> None:
        self._resources = resources

    async def answer(self, command: Command, client: str) -> Reply:
        """The reply to a command of `client`, the client that the subject names.

        Raises:
            AcpError: the command cannot be done.
        """
        if not is_id(client):
            raise BadCommand(
                "invalid_value",
                f"{client[:64]!r} is no client id",
                path="subject",
                hint="letters, digits, _ and -",
            )
        if command.client_id is not None and command.client_id != client:
            raise BadCommand(
                "client_mismatch",
                f"client_id {command.client_id!r} came on the subject of {client!r}",
                path="$.client_id",
                hint=f"leave it out, or send to acp.v1.command.{command.client_id}",
            )
        return await HANDLERS[type(command)](self._resources, command, client)
