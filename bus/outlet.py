"""What an agent publishes: the outputs of its deliveries and, through `bus.agent.Outlet`, what no delivery causes."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

import msgspec
import structlog
from nats.errors import Error as NatsError

from bus.agent import Outbound
from bus.connection import Connection
from bus.presence import PresenceBoard
from bus.publisher import MESSAGE_ID_HEADER, Publication, Publisher
from bus.telemetry import Tracing
from protocol import codec, subjects
from protocol.channels import ACP_WORK
from protocol.drafts import DraftedPrompts, DraftPrompts
from protocol.errors import BadMessage, Unavailable
from protocol.messages import Control, Presence, Progress, Role
from protocol.results import GenerationStatus
from protocol.reuse import FindStored, StoredPictures
from protocol.spending import IntentReply, SpendingCall

log = structlog.get_logger()

MAX_PAYLOAD_BYTES = codec.MAX_MESSAGE_BYTES - 16 * 1024
"""The broker counts headers in; a dead letter carries a few more of them than its original."""

MAX_PROGRESS_BACKLOG = 256
"""Progress messages that wait to be sent; the oldest are dropped."""

ASK_WAIT_S = 5.0
"""Longest wait for an answer about a paid call."""

FIND_WAIT_S = 1.0
"""Longest wait for an answer about stored pictures: finding one saves a picture, and waiting must not cost one."""

DRAFT_WAIT_S = 0.4
"""Longest wait for a draft of prompts: a plan shows them and is answered within a second."""

PURGE_RETRY_S = 0.25
PURGE_WAIT_S = 10.0
"""Longest wait for the broker to purge; the planner may try again."""


class AgentOutlet:
    """`bus.agent.Outlet` over one connection, and the outputs of deliveries. With `dictionary` they are compressed with
    the dictionary wherever agents alone listen."""

    def __init__(
        self, connection: Connection, publisher: Publisher, board: PresenceBoard, traces: Tracing, *, dictionary: bool
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._board = board
        self._traces = traces
        self._dictionary = dictionary
        self._loop = asyncio.get_running_loop()
        self._status_order: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._progress: deque[Progress] = deque(maxlen=MAX_PROGRESS_BACKLOG)
        self._has_progress = asyncio.Event()

    async def publish(self, *messages: Outbound, resend: int = 0) -> None:
        """Publish work or events durably; see `bus.agent.Outlet`."""
        if messages:
            await self._publisher.publish([self._publication(message, resend) for message in messages])

    async def publish_raw(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        """Publish bytes as they are, such as a dead letter."""
        await self._publisher.publish([Publication(subject, payload, dict(headers))])

    async def publish_status(self, status: GenerationStatus, client_id: str) -> None:
        """Publish a batch's status; statuses of one batch reach the stream in the order of the calls."""
        subject = subjects.status(client_id, status.hash)
        lock = self._status_order.setdefault(subject, asyncio.Lock())
        async with lock:
            payload = codec.encode(status)
            headers = {codec.VERSION_HEADER: codec.VERSION}
            self._traces.inject_trace(subject, headers, status.hash)
            await self._publisher.publish([Publication(subject, payload, headers)])

    def publish_progress(self, progress: Progress) -> None:
        """Say how far an attempt is. Lossy; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody looks any more
            self._loop.call_soon_threadsafe(self._enqueue_progress, progress)

    async def publish_control(self, role: Role, message: Control) -> None:
        """Tell every process of a role, beside the queue."""
        payload, headers = codec.pack(message, dictionary=self._dictionary)
        with contextlib.suppress(NatsError, OSError):
            await self._connection.client.publish(subjects.control(role), payload, headers=headers)

    async def purge_batch(self, batch: str) -> None:
        """Drop all queued work of a batch.

        Raises:
            Unavailable: the broker did not answer in time.
        """
        await self._purge_all(batch, subjects.batch_work(batch))

    async def purge_generation(self, batch: str) -> None:
        """Drop what of a batch is queued for generators.

        Raises:
            Unavailable: the broker did not answer in time.
        """
        await self._purge_all(batch, (subjects.batch_generation(batch),))

    async def ask_about_paid_call(self, call: SpendingCall) -> IntentReply:
        """Ask the planner about a paid call; see `bus.agent.Outlet`."""
        answer = await self._request(subjects.ledger(call), call, ASK_WAIT_S, "the planner about a paid call")
        reply = codec.decode_spending(answer)
        if not isinstance(reply, IntentReply):
            raise BadMessage("invalid_value", f"{type(reply).__name__} is no answer about a paid call")
        return reply

    async def find_stored(self, question: FindStored) -> StoredPictures:
        """Ask storage which pictures are there already; see `bus.agent.Outlet`."""
        answer = await self._request(subjects.STORED, question, FIND_WAIT_S, "storage about stored pictures")
        reply = codec.decode_reuse(answer)
        if not isinstance(reply, StoredPictures):
            raise BadMessage("invalid_value", f"{type(reply).__name__} is no answer about stored pictures")
        return reply

    async def draft_prompts(self, wanted: DraftPrompts) -> DraftedPrompts:
        """Ask for prompts that belong to no batch; see `bus.agent.Outlet`."""
        answer = await self._request(subjects.DRAFT, wanted, DRAFT_WAIT_S, "the prompt agent about a draft")
        reply = codec.decode_drafts(answer)
        if not isinstance(reply, DraftedPrompts):
            raise BadMessage("invalid_value", f"{type(reply).__name__} is no draft of prompts")
        return reply

    async def presences(self) -> Sequence[Presence]:
        """Every live process, as it last announced itself."""
        return await self._board.presences()

    async def run(self) -> None:
        """Send progress as it comes; runs until cancelled."""
        while True:
            await self._has_progress.wait()
            self._has_progress.clear()
            while self._progress:
                progress = self._progress.popleft()
                await self._connection.send(subjects.subject_of(progress), codec.encode(progress))

    def _enqueue_progress(self, progress: Progress) -> None:
        self._progress.append(progress)
        self._has_progress.set()

    async def _request(self, subject: str, question: msgspec.Struct, wait_s: float, whom: str) -> bytes:
        """The JSON of the answer to a question."""
        payload, headers = codec.pack(question)
        try:
            answer = await self._connection.client.request(subject, payload, timeout=wait_s, headers=headers)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unavailable("timeout", f"no answer from {whom}", hint="try again") from error
        return codec.unpack(answer.data, answer.headers)

    async def _purge_all(self, batch: str, filter_subjects: tuple[str, ...]) -> None:
        try:
            async with asyncio.timeout(PURGE_WAIT_S):
                for filter_subject in filter_subjects:
                    await self._purge(filter_subject)
        except TimeoutError as error:
            raise Unavailable("timeout", f"the queue of {batch} could not be purged", hint="try again") from error

    async def _purge(self, filter_subject: str) -> None:
        while True:
            try:
                await self._connection.request_api(f"STREAM.PURGE.{ACP_WORK}", {"filter": filter_subject})
            except (NatsError, TimeoutError) as error:
                log.warning("the broker does not purge", error=repr(error))
                await asyncio.sleep(PURGE_RETRY_S)
            else:
                return

    def _publication(self, message: Outbound, resend: int = 0) -> Publication:
        subject = subjects.subject_of(message)
        payload, headers = codec.pack(message, dictionary=self._dictionary)
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise BadMessage(
                "too_large",
                f"{type(message).__name__} of {len(payload)} bytes is larger than the broker takes",
                hint=f"keep messages below {MAX_PAYLOAD_BYTES} bytes; pixels travel as blob names",
            )
        repeat = f".{resend}" if resend else ""
        headers[MESSAGE_ID_HEADER] = f"{subjects.message_id(message)}{repeat}"
        self._traces.inject_trace(subject, headers, subjects.batch_of(message))
        return Publication(subject, payload, headers)
