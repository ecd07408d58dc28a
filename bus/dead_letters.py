"""Dead letters: messages that were given up. They can be inspected, sent again and removed."""

import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from bus.connection import ApiError, Connection
from bus.handling import decode
from bus.publisher import MESSAGE_ID_HEADER, refusal_of
from protocol import subjects
from protocol.channels import ACP_DEAD
from protocol.errors import AcpError, Refused, Unavailable
from protocol.messages import Event, Work

WAIT_S = 5.0
"""Longest wait for one answer of the broker."""

_OWN_HEADERS = ("Nats-", "Acp-Dead-")
"""Headers that the broker and the runner add to the original's."""

_NOT_FOUND_CODE = 10043
"""JSStreamMsgDeleteFailedF: there is no such message any more."""


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up. `id` is its place among the dead letters, `origin` its place before, as
    `<stream>.<sequence>`, and `subject` where it was; `data` and `headers` are the original's."""

    id: int
    role: str
    subject: str
    code: str
    reason: str
    origin: str
    delivered: int
    at: datetime
    data: bytes = field(repr=False)
    headers: Mapping[str, str]

    @property
    def content(self) -> Work | Event | None:
        """The message in its bytes; null where they cannot be read."""
        try:
            return decode(self.data, self.headers)
        except AcpError:
            return None


class DeadLetters:
    """The dead letters over one connection, which needs the operator's rights."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def newest_first(self, before: int | None = None) -> AsyncGenerator[DeadLetter]:
        """Every letter, or those older than the letter `before`. Each is fetched when it is asked for.

        Raises:
            Unavailable: the broker does not answer.
        """
        try:
            info = await self._request_api(f"STREAM.INFO.{ACP_DEAD}", {"deleted_details": True})
        except ApiError as error:
            raise Unavailable(
                "timeout", f"the dead letters cannot be read: {error}", hint="a workshop makes their stream: bottega up"
            ) from error
        state = info["state"]
        removed: set[int] = set(state.get("deleted") or ())
        last: int = state["last_seq"] if before is None else min(before - 1, state["last_seq"])
        for sequence in range(last, max(1, state["first_seq"]) - 1, -1):
            if sequence not in removed and (letter := await self.find(sequence)) is not None:
                yield letter

    async def find(self, id: int) -> DeadLetter | None:
        """The letter with this id; null where there is none, or not any more.

        Raises:
            Unavailable: the broker does not answer.
        """
        request = json.dumps({"seq": id}).encode()
        answer = await self._request(f"$JS.API.DIRECT.GET.{ACP_DEAD}", request, {})
        return None if (answer.headers or {}).get("Status") else _dead_letter_of(answer)

    async def republish(self, letter: DeadLetter) -> None:
        """Publish the original bytes where they were. Saying a letter again twice makes one message: its id follows
        from the letter, and the work stream holds one message per subject.

        Raises:
            Refused: the letter does not name a place of work or events.
            Unavailable: the broker did not take it.
        """
        if not any(subjects.subject_matches(pattern, letter.subject) for pattern in (subjects.WORK, subjects.EVENTS)):
            raise Refused("invalid_value", f"{letter.subject!r} is neither a place of work nor of events")
        headers = {**letter.headers, MESSAGE_ID_HEADER: f"again.{letter.id}.{letter.origin}"}
        answer = await self._request(letter.subject, letter.data, headers)
        if problem := refusal_of(answer):
            raise Unavailable("timeout", f"the broker did not take letter {letter.id}: {problem}", hint="try again")

    async def remove(self, letter: DeadLetter) -> None:
        """Take a letter away; one that is gone already is none.

        Raises:
            Unavailable: the broker does not answer.
        """
        try:
            await self._request_api(f"STREAM.MSG.DELETE.{ACP_DEAD}", {"seq": letter.id, "no_erase": True})
        except ApiError as error:
            if error.code != _NOT_FOUND_CODE:
                raise Unavailable("timeout", f"letter {letter.id} cannot be removed: {error}") from error

    async def _request_api(self, endpoint: str, request: Mapping[str, object]) -> dict[str, Any]:
        try:
            return await self._connection.request_api(endpoint, request)
        except ApiError:
            raise
        except (NatsError, TimeoutError) as error:
            raise _no_answer() from error

    async def _request(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> Msg:
        try:
            return await self._connection.client.request(subject, payload, timeout=WAIT_S, headers=dict(headers))
        except (NatsError, TimeoutError) as error:
            raise _no_answer() from error


def _dead_letter_of(message: Msg) -> DeadLetter:
    """What the broker kept and the runner wrote."""
    headers = message.headers or {}
    return DeadLetter(
        id=int(headers["Nats-Sequence"]),
        role=headers["Nats-Subject"].rpartition(".")[2],
        subject=headers.get("Acp-Dead-Subject", ""),
        code=headers.get("Acp-Dead-Code", ""),
        reason=headers.get("Acp-Dead-Reason", ""),
        origin=headers.get("Acp-Dead-Origin", ""),
        delivered=_number(headers.get("Acp-Dead-Delivered", "0")),
        at=datetime.fromisoformat(headers["Nats-Time-Stamp"]),
        data=message.data,
        headers={name: value for name, value in headers.items() if not name.startswith(_OWN_HEADERS)},
    )


def _number(text: str) -> int:
    """A count as the runner writes it; 0 of any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _no_answer() -> Unavailable:
    return Unavailable("timeout", "the broker does not answer about the dead letters", hint="see `bottega doctor`")
