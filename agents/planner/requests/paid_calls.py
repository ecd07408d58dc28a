"""Answers generators about paid calls: from a question to an intent in the ledger."""

import time

from agents.planner.money.intents import close_intent, note_intent, open_intent
from agents.shared.database.group_commit import GroupCommit
from bus.agent import Caller
from protocol.errors import AcpError, BadMessage
from protocol.spending import CloseIntent, IntentReply, NoteIntent, OpenIntent, Spending


class PaidCallRequests:
    """One planner's."""

    def __init__(self, ledger: GroupCommit) -> None:
        self._ledger = ledger

    async def answer(self, call: Spending, caller: Caller) -> IntentReply:
        """How the intent stands, once that is on disk.

        Raises:
            AcpError: the call must not be made.
        """
        now = time.time()
        match call:
            case OpenIntent():
                return await self._ledger.write(lambda connection: open_intent(connection, call, now))
            case NoteIntent():
                return await self._ledger.write(lambda connection: note_intent(connection, call))
            case CloseIntent():
                return await self._ledger.write(lambda connection: close_intent(connection, call, now))
            case IntentReply():
                raise BadMessage("invalid_value", "an answer is no question")


def refusal_reply(error: AcpError) -> IntentReply:
    """An error as the reply that a generator gets: with one, the call must not be made."""
    return IntentReply(state=None, error=error.body)
