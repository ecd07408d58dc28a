"""The planner's office: answers the operator about clients and their costs, and about work that was given up."""

import time
from collections.abc import Awaitable, Callable, Mapping

import structlog
from sqlalchemy import Connection

from agents.planner.money import clients
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.requests import cost_report
from agents.planner.requests.dead_letter_check import find_work
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.scheduling.window import Window
from agents.shared.database.group_commit import GroupCommit
from protocol import codec
from protocol.errors import AcpError
from protocol.operator import FindWork, ListClients, OperatorCommand, ShowClient, ShowCosts
from protocol.replies import CostReport, ErrorReply, Reply

log = structlog.get_logger()

_HEADERS = {codec.VERSION_HEADER: codec.VERSION}


class OperatorRequests:
    """One planner's."""

    def __init__(self, ledger: GroupCommit, publish: Callable[[Change], Awaitable[None]], window: Window) -> None:
        self._ledger = ledger
        self._publish = publish
        self._window = window

    async def endpoint(self, data: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        """Answer one request once its answer is on disk."""
        try:
            reply = await self._answer(codec.decode_operator_command(codec.unpack(data, headers)))
        except AcpError as error:
            reply = ErrorReply(error=error.body)
        except Exception as error:  # the boundary where a failure becomes a reply
            log.exception("a command of the operator failed", subject=subject)
            reply = ErrorReply(error=codec.error_of(error).body)
        return codec.encode(reply), _HEADERS

    async def _answer(self, command: OperatorCommand) -> Reply:
        match command:
            case ListClients():
                return await self._ledger.read(lambda c: clients.list_page(c, command.first, command.count))
            case ShowClient():
                return await self._ledger.read(lambda c: clients.show(c, command.client_id))
            case ShowCosts():
                return await self._ledger.read(lambda c: _cost_report(c, command))
            case FindWork():
                return await self._ledger.read(lambda c: find_work(c, command))
            case _:
                return await self._change_client(command)

    async def _change_client(self, command: clients.ClientChange) -> Reply:
        """Change a client, and give places away by what it may have from now on."""
        now = time.time()

        def work(connection: Connection) -> tuple[Reply, Change]:
            reply = clients.change(connection, command, now)
            return reply, enqueue(connection, rebuild_window(connection, self._window, now), now)

        reply, change = await self._ledger.write(work)
        await self._publish(change)
        return reply


def _cost_report(connection: Connection, command: ShowCosts) -> CostReport:
    report = cost_report.report(connection, command.client_id, command)
    if report.costs.total.cost is None:
        clients.show(connection, command.client_id)  # refused where there is no such client
    return report
