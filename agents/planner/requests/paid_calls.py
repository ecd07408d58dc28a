"""Answers generators about paid calls: the boundary between the wire and the intents in the ledger."""

import time
from collections.abc import Mapping

import structlog

from agents.planner.money.intents import close_intent, open_intent
from agents.shared.database.group_commit import GroupCommit
from protocol import codec
from protocol.errors import AcpError, BadMessage
from protocol.spending import CloseIntent, IntentReply, OpenIntent

log = structlog.get_logger()

_HEADERS = {codec.VERSION_HEADER: codec.VERSION}


class PaidCallRequests:
    """One planner's."""

    def __init__(self, ledger: GroupCommit) -> None:
        self._ledger = ledger

    async def endpoint(self, data: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        """Answer one request once its answer is on disk."""
        try:
            reply = await self._answer(codec.unpack(data, headers))
        except AcpError as error:
            reply = IntentReply(state=None, error=error.body)
        except Exception as error:  # the boundary where a failure becomes a reply
            log.exception("a question about a paid call failed", subject=subject)
            reply = IntentReply(state=None, error=codec.error_of(error).body)
        return codec.encode(reply), _HEADERS

    async def _answer(self, data: bytes) -> IntentReply:
        call, now = codec.decode_spending(data), time.time()
        match call:
            case OpenIntent():
                return await self._ledger.write(lambda connection: open_intent(connection, call, now))
            case CloseIntent():
                return await self._ledger.write(lambda connection: close_intent(connection, call, now))
            case IntentReply():
                raise BadMessage("invalid_value", "an answer is no question")
