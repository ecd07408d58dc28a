"""Questions that the ledger answers alone, while no planner runs: STATUS, RESULT, LIST, COSTS and LIST_BATCHES."""

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from agents.planner.money.clients import is_door_open
from agents.planner.requests.batch_queries import read_list, read_result, read_status
from agents.planner.requests.costs import read_costs
from agents.planner.requests.replies import batch_list_reply
from agents.shared.database.copying import Database, open_snapshots
from protocol.commands import Costs, List, Result, Status
from protocol.errors import Unavailable
from protocol.operator import ListBatches
from protocol.replies import Reply

Readable = Status | Result | List | Costs


def read_answer(ledger: Database, command: Readable | ListBatches, client: str) -> Reply:
    """The reply that a planner would give now, from a connection that can write nothing.

    Raises:
        OtherRevision: there is no ledger, or one that must be migrated first.
        AcpError: the command cannot be answered, or the database not be reached.
    """
    try:
        with open_snapshots([ledger]) as [connection]:
            return _answer(connection, command, client)
    except OperationalError as error:
        raise _unreadable(error) from error


def reads_open_door(ledger: Database, open_door: bool | None) -> bool:
    """Whether a planner would let a name begin work that it does not know.

    Raises:
        OtherRevision: there is no ledger, or one that must be migrated first.
        AcpError: the database cannot be reached.
    """
    try:
        with open_snapshots([ledger]) as [connection]:
            return is_door_open(connection, open_door)
    except OperationalError as error:
        raise _unreadable(error) from error


def _unreadable(error: OperationalError) -> Unavailable:
    return Unavailable(
        "timeout", f"the ledger cannot be read: {error.orig}".strip(), hint="see BOTTEGA_LEDGER_URL: bottega config"
    )


def _answer(connection: Connection, command: Readable | ListBatches, client: str) -> Reply:
    match command:
        case Status():
            return read_status(connection, command, client)
        case Result():
            return read_result(connection, command, client)
        case List():
            return read_list(connection, command, client)
        case Costs():
            return read_costs(connection, command, client)
        case ListBatches():
            return batch_list_reply(connection, None, command.first, command.count, command.hash)
