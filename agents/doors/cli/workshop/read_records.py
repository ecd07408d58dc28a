"""Answers about what was made, from the running workshop or, where none runs, from the records that it left."""

import sys
from typing import TypeVar

from agents.doors.cli.errors import Failure, failure_of_error, no_workshop
from agents.doors.cli.records.databases import databases
from agents.doors.cli.settings import load_settings
from agents.doors.cli.workshop.connection import (
    ask,
    ask_operator,
    connect_client,
    connect_operator,
    owned_by_another,
    require_address,
    workshop_address,
)
from agents.planner.requests.read_ledger import Readable, read_answer
from agents.shared.database.copying import Database, OtherRevision
from agents.shared.settings import Settings
from bus.accounts import LOCAL_CLIENT
from protocol.commands import Result, Status
from protocol.errors import Refused
from protocol.operator import ListBatches
from protocol.replies import Reply
from protocol.results import BatchList

Answer = TypeVar("Answer", bound=Reply)


async def ask_or_read(command: Readable, kind: type[Answer], client: str | None) -> Answer:
    """The reply of the running workshop to a client; where none runs here and none is named, what the planner would
    read in the ledger, which is told on standard error.

    Raises:
        Failure: the command cannot be answered, or there are no records.
    """
    settings = load_settings(client=client)
    if workshop_address(settings) is None:
        return _read(settings, command, kind)
    async with connect_client(settings) as connected:
        return await ask(connected, command, kind)


async def list_everyones(command: ListBatches) -> BatchList:
    """The batches of every client: by the operator of the running workshop or, where none runs, from its records.

    Raises:
        Failure: the login is not the operator's, or there are no records.
    """
    settings = load_settings()
    if workshop_address(settings) is None:
        return _read(settings, command, BatchList)
    async with connect_operator(settings) as operator:
        return await ask_operator(operator, command, BatchList)


def _read(settings: Settings, command: Readable | ListBatches, kind: type[Answer]) -> Answer:
    ledger, _ = databases(settings)
    try:
        reply = read_answer(ledger, command, settings.client or LOCAL_CLIENT)
    except OtherRevision as error:
        if error.found is None:
            require_address(settings)  # there are no records, so a workshop is what is missing
        raise no_workshop(
            str(error), hint="a workshop brings it to its own revision when it starts: bottega up"
        ) from None
    except Refused as error:
        raise _with_owner(ledger, command, error) from None
    if not isinstance(reply, kind):
        raise TypeError(f"a {type(reply).__name__} is no answer to {type(command).__name__}")
    sys.stderr.write(
        f"note: no workshop runs in {settings.home}; this is from its records, and nothing goes on before one runs: "
        "bottega up\n"
    )
    return reply


def _with_owner(ledger: Database, command: Readable | ListBatches, error: Refused) -> Failure:
    """A refusal; where the batch is another client's, it says whose."""
    failure = failure_of_error(error)
    if error.code != "unknown_batch" or not isinstance(command, Status | Result):
        return failure
    found = read_answer(ledger, ListBatches(hash=command.hash), LOCAL_CLIENT)
    assert isinstance(found, BatchList), "batches are answered with a list"
    return owned_by_another(failure, command.hash, found)
