"""The contract of an agent: it declares what it reads, handles messages and answers requests, and returns messages.

Ack, retry, heartbeat, tracing, dead letters and connection are the runner's; bytes, encodings and errors of requests
are the service's. An agent never publishes work or events by itself except through `Outlet`, for what no delivery
causes.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from protocol import codec
from protocol.drafts import DraftedPrompts, DraftPrompts
from protocol.errors import AcpError
from protocol.messages import Control, Event, Presence, Progress, Role, Work
from protocol.results import GenerationStatus
from protocol.reuse import FindStored, StoredPictures
from protocol.spending import IntentReply, SpendingCall

Inbound = Work | Event
Outbound = Work | Event


@dataclass(frozen=True)
class Intake:
    """One durable pull consumer that an agent reads. `slots` deliveries are handled at once; a slot is taken before
    a delivery is asked for. `durable` names the consumer; `filter_subjects` the subjects it covers."""

    stream: str
    durable: str
    filter_subjects: tuple[str, ...]
    slots: int = 1
    max_deliver: int = 5


@dataclass(frozen=True)
class Watch:
    """An ordered, ephemeral view over events, replayed from the stream's start at every start of the process:
    memory that a restart does not lose. Given to `Agent.observe`."""

    filter_subject: str


@dataclass(frozen=True)
class Delivery:
    """Circumstances of a delivery. `delivered` counts from 1."""

    subject: str
    delivered: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Outlet(Protocol):
    """What an agent may say outside a delivery."""

    async def publish(self, *messages: Outbound, resend: int = 0) -> None:
        """Publish work or events durably, side by side; returns when the broker has them. A message whose subject is
        still occupied in the work queue counts as published. `resend` > 0 makes the message id differ from the first
        one's, so that only the queue's own rule of one message per subject drops it."""
        ...

    async def publish_status(self, status: GenerationStatus, client_id: str) -> None:
        """Publish a batch's status; the stream keeps the last one. Calls are published in their order."""
        ...

    def publish_progress(self, progress: Progress) -> None:
        """Say how far an attempt is. Lossy; may be called from any thread."""
        ...

    async def publish_control(self, role: Role, message: Control) -> None:
        """Tell every process of a role, beside the queue."""
        ...

    async def purge_batch(self, batch: str) -> None:
        """Drop all queued work of a batch."""
        ...

    async def purge_generation(self, batch: str) -> None:
        """Drop what of a batch is queued for generators; what one has in hand goes on."""
        ...

    async def ask_about_paid_call(self, call: SpendingCall) -> IntentReply:
        """Ask the planner about a paid call. Asking again changes nothing, as long as the call's key is the same.

        Raises:
            Unavailable: the planner did not answer in time; whether it heard is not known.
        """
        ...

    async def find_stored(self, question: FindStored) -> StoredPictures:
        """Ask storage which pictures are there already.

        Raises:
            Unavailable: no storage process answered in time.
            BadMessage: what came is no answer.
        """
        ...

    async def draft_prompts(self, wanted: DraftPrompts) -> DraftedPrompts:
        """Ask for prompts that belong to no batch. Nothing is kept of them.

        Raises:
            Unavailable: no prompt process answered in time.
            BadMessage: what came is no answer.
        """
        ...

    async def presences(self) -> Sequence[Presence]:
        """Every live process, as it last announced itself. Kept current by a watch: cheap to call."""
        ...


Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Caller:
    """Circumstances of a request: the subject it came on, and its headers."""

    subject: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def client_id(self) -> str:
        """The client that the subject of a command names, in its last token."""
        return self.subject.rsplit(".", 1)[-1]


def no_asker(_: Caller) -> str:
    """One queue for all: where those who ask are few and trusted."""
    return ""


def encode_plain(reply: msgspec.Struct, encoding: codec.Encoding) -> tuple[bytes, Mapping[str, str]]:
    """A reply as plain JSON, however the request came."""
    return codec.encode(reply), {codec.VERSION_HEADER: codec.VERSION}


def encode_in_kind(reply: msgspec.Struct, encoding: codec.Encoding) -> tuple[bytes, Mapping[str, str]]:
    """A reply in the encoding that the request came in."""
    return codec.pack(reply) if encoding == "zstd" else encode_plain(reply, encoding)


def encode_compressed(reply: msgspec.Struct, encoding: codec.Encoding) -> tuple[bytes, Mapping[str, str]]:
    """A reply as zstd, however the request came: between agents."""
    return codec.pack(reply)


@dataclass(frozen=True)
class Endpoint(Generic[Question, Answer]):
    """A request that an agent answers. `bus.service` unpacks it, and makes a reply of what the agent raises."""

    subject: str
    """What the endpoint subscribes to; it may hold wildcards."""
    decode: Callable[[bytes], Question]
    """From the unpacked bytes; raises an `AcpError` for what is no such request."""
    answer: Callable[[Question, Caller], Awaitable[Answer]]
    """Raises an `AcpError` for what cannot be done."""
    encode: Callable[[Answer, codec.Encoding], tuple[bytes, Mapping[str, str]]]
    """Payload and headers of a reply, by the encoding of its request: `encode_plain`, `encode_in_kind` or
    `encode_compressed`."""
    on_error: Callable[[AcpError], Answer] | None = None
    """An error as a reply of this endpoint: an ordinary one, which counts as answered. Null is the micro-service's own
    error reply (ADR-32), which counts as failed in the statistics and in the trace."""
    queue_by: Callable[[Caller], str] = no_asker
    """Whose request it is: each asker has a bounded queue of his own, and they are served in turn."""
    failure_log: str = "an endpoint failed"
    """The log line of a failure that is no `AcpError` and that `on_error` makes a reply of."""


class Agent:
    """Base of the five agents, with what most of them leave alone."""

    role: ClassVar[Role]

    def intakes(self) -> Sequence[Intake]:
        """The consumers this agent reads."""
        raise NotImplementedError

    def watches(self) -> Sequence[Watch]:
        """Events this agent wants to see, beside its queue."""
        return ()

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        """Request endpoints of the agent's micro-service, one a subject. PING, INFO, STATS are the runner's."""
        return ()

    def presence(self, instance: str) -> Presence:
        """How the agent announces itself; asked again at every renewal."""
        raise NotImplementedError

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        """Resources and background tasks that live as long as the process serves."""
        yield

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        """Do the work of one message and return what is to be said; the runner publishes it, then acks.

        Raises:
            AcpError: retryable ones are delivered again with back-off up to `max_deliver`; others, and the last, go
                to the dead letters after `give_up` was asked what to say.
        """
        raise NotImplementedError

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        """What to say when a message is given up, so that the planner can count it."""
        return ()

    async def observe(self, message: Event) -> None:
        """See an event of a watch."""

    async def handle_control(self, message: Control) -> None:
        """Obey a control message; `Drain` is the runner's own."""
