"""Answers about what was made, from the running workshop or, where none runs, from the records that it left."""

import sys
from typing import TypeVar

from agents.doors.cli.errors import no_workshop
from agents.doors.cli.records.databases import databases
from agents.doors.cli.settings import load_settings
from agents.doors.cli.workshop.connection import ask, connect_client, require_address, workshop_address
from agents.planner.requests.read_ledger import Readable, read_answer
from agents.shared.database.copying import OtherRevision
from agents.shared.settings import Settings
from bus.client import LOCAL_CLIENT
from protocol.replies import Reply

Answer = TypeVar("Answer", bound=Reply)


async def ask_or_read(command: Readable, kind: type[Answer]) -> Answer:
    """The reply of the running workshop; where none runs here and none is named, what the planner would read in the
    ledger, which is told on standard error.

    Raises:
        Failure: the command cannot be answered, or there are no records.
    """
    settings = load_settings()
    if workshop_address(settings) is None:
        return _read(settings, command, kind)
    async with connect_client(settings) as client:
        return await ask(client, command, kind)


def _read(settings: Settings, command: Readable, kind: type[Answer]) -> Answer:
    ledger, _ = databases(settings)
    try:
        reply = read_answer(ledger, command, LOCAL_CLIENT)
    except OtherRevision as error:
        if error.found is None:
            require_address(settings)  # there are no records, so a workshop is what is missing
        raise no_workshop(
            str(error), hint="a workshop brings it to its own revision when it starts: bottega up"
        ) from None
    if not isinstance(reply, kind):
        raise TypeError(f"a {type(reply).__name__} is no answer to {type(command).__name__}")
    sys.stderr.write(
        f"note: no workshop runs in {settings.home}; this is from its records, and nothing goes on before one runs: "
        "bottega up\n"
    )
    return reply
