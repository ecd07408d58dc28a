"""Answers the operator about clients, their costs and batches, and about work that was given up."""

import time

from sqlalchemy import Connection

from agents.planner.ledger.blob_owners import add_owners
from agents.planner.money import clients
from agents.planner.outbox.change import Change
from agents.planner.outbox.outbox import enqueue
from agents.planner.requests import cost_report, replies
from agents.planner.requests.batch_changes import BatchChanges
from agents.planner.requests.dead_letter_check import find_work
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.scheduling.window import Window
from agents.shared.database.group_commit import GroupCommit
from bus.accounts import LOCAL_CLIENT
from bus.agent import Caller
from protocol.accounts import ClientReply, CostReport
from protocol.operator import (
    CreateClient,
    FindWork,
    LimitClient,
    ListBatches,
    ListClients,
    OperatorCommand,
    OwnBlob,
    ResumeClient,
    RevokeClient,
    RotateClient,
    ShowClient,
    ShowCosts,
    SuspendClient,
)
from protocol.replies import Reply


class OperatorRequests:
    """One planner's."""

    def __init__(self, ledger: GroupCommit, changes: BatchChanges, window: Window) -> None:
        self._ledger = ledger
        self._changes = changes
        self._window = window

    async def answer(self, command: OperatorCommand, caller: Caller) -> Reply:
        """The reply to a command, once its answer is on disk.

        Raises:
            AcpError: the command cannot be done.
        """
        match command:
            case ListClients():
                return await self._ledger.read(lambda c: clients.list_page(c, command.first, command.count))
            case ShowClient():
                return await self._ledger.read(lambda c: clients.show(c, command.client_id))
            case ShowCosts():
                return await self._ledger.read(lambda c: _cost_report(c, command))
            case ListBatches():
                return await self._ledger.read(
                    lambda c: replies.batch_list_reply(c, None, command.first, command.count, command.hash)
                )
            case OwnBlob():
                return await self._ledger.write(lambda c: _own_blob(c, command))
            case FindWork():
                return await self._ledger.read(lambda c: find_work(c, command))
            case CreateClient() | LimitClient() | SuspendClient() | ResumeClient() | RotateClient() | RevokeClient():
                return await self._change_client(command)

    async def _change_client(self, command: clients.ClientChange) -> Reply:
        """Change a client, and give places away by what it may have from now on."""
        now = time.time()

        def work(connection: Connection) -> tuple[Reply, Change]:
            reply = clients.change(connection, command, now)
            return reply, enqueue(connection, rebuild_window(connection, self._window, now), now)

        reply, change = await self._ledger.write(work)
        await self._changes.publish(change)
        return reply


def _own_blob(connection: Connection, command: OwnBlob) -> ClientReply:
    """Note whose the pixels are; refused where there is no such client."""
    now = time.time()
    if command.client_id == LOCAL_CLIENT:
        clients.admit(connection, LOCAL_CLIENT, now)
    reply = clients.show(connection, command.client_id)
    add_owners(connection, [(command.client_id, command.blob)], now)
    return reply


def _cost_report(connection: Connection, command: ShowCosts) -> CostReport:
    report = cost_report.report(connection, command.client_id, command)
    if report.costs.total.cost is None:
        clients.show(connection, command.client_id)  # refused where there is no such client
    return report
