"""From a delivery to its end: decode, handle, publish the outputs, then acknowledge; or retry; or give up.

The one place where an agent's exception becomes a decision.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import get_args

import structlog
from nats.aio.msg import Msg
from opentelemetry.trace import SpanKind, StatusCode

from bus.agent import Agent, Delivery, Inbound, Intake
from bus.disposition import AwaitRoom, GiveUp, Retry, before_handling, on_failure
from bus.failpoint import pass_failpoint
from bus.outlet import AgentOutlet
from bus.publisher import MESSAGE_ID_HEADER
from bus.pull import Settle
from bus.telemetry import Tracing
from protocol import codec, subjects
from protocol.errors import AcpError, BadMessage

log = structlog.get_logger()

MAX_REASON_CHARS = 512
"""Of the reason in a dead letter's header."""

_INBOUND: tuple[type, ...] = get_args(Inbound)


class DeliveryHandler:
    """Handles the deliveries of one agent."""

    def __init__(
        self,
        agent: Agent,
        outlet: AgentOutlet,
        traces: Tracing,
        backoff: Sequence[float],
    ) -> None:
        self._agent = agent
        self._outlet = outlet
        self._traces = traces
        self._backoff = backoff

    async def handle(self, message: Msg, intake: Intake, settle: Settle) -> None:
        """Bring one delivery to its end. Cancelled, it leaves the delivery as it was."""
        metadata = message.metadata
        headers = message.headers or {}
        delivery = Delivery(message.subject, metadata.num_delivered, headers)
        with self._traces.processing_span(message.subject, headers, SpanKind.CONSUMER) as span:
            tried = 1
            while True:
                decision, content = await self._handle_and_publish(delivery, message.data, intake.max_deliver, tried)
                if not isinstance(decision, AwaitRoom):
                    break
                tried += 1
                await asyncio.sleep(decision.delay_s)  # in hand, so that nothing more is taken meanwhile
            if decision is None:
                await settle(b"")
                return
            span.set_status(StatusCode.ERROR)
            match decision:
                case Retry(delay_s=delay_s):
                    later = json.dumps({"delay": int(delay_s * 1e9)}).encode()
                    await settle(b"-NAK " + later)
                case GiveUp(error=error):
                    origin = f"{metadata.stream}.{metadata.sequence.stream}"
                    await self._publish_dead_letter(message, delivery, origin, error)
                    await self._publish_failure(content, error)
                    await settle(b"+TERM given up")

    async def _handle_and_publish(
        self, delivery: Delivery, data: bytes, max_deliver: int, tried: int
    ) -> tuple[Retry | AwaitRoom | GiveUp | None, Inbound | None]:
        """Decode, handle, publish; what to do where that failed, and the content where it could be read."""
        content: Inbound | None = None
        try:
            content = decode(data, delivery.headers)
            self._traces.remember_batch(subjects.batch_of(content))
            if poison := before_handling(delivery.delivered, max_deliver):
                return poison, content
            pass_failpoint("message.received")
            outputs = await self._agent.handle(content, delivery)
            pass_failpoint("message.handled")
            await self._outlet.publish(*outputs)
            pass_failpoint("message.published")
        except Exception as failure:  # the boundary of the agents: any failure becomes a decision
            decision = on_failure(failure, delivery.delivered, max_deliver, self._backoff, tried)
            known = isinstance(failure, AcpError) or isinstance(decision, AwaitRoom)
            log.warning(
                "a delivery failed",
                subject=delivery.subject,
                delivered=delivery.delivered,
                decision=type(decision).__name__,
                error=str(failure) if known else repr(failure),
                exc_info=None if known else failure,
            )
            return decision, content
        return None, content

    async def _publish_dead_letter(self, message: Msg, delivery: Delivery, origin: str, error: AcpError) -> None:
        """Keep the original bytes and headers where a person can look at them."""
        subject = subjects.dead_letter(self._agent.role)
        await self._outlet.publish_raw(subject, message.data, dead_letter_headers(delivery, origin, error))
        log.error("given up; kept in the dead letters", subject=delivery.subject, origin=origin, error=str(error))

    async def _publish_failure(self, content: Inbound | None, error: AcpError) -> None:
        if content is None:
            return
        try:
            await self._outlet.publish(*await self._agent.give_up(content, error))
        except Exception:  # the letter is kept; the planner's reconciler finds the job
            log.exception("the agent could not say that it gave up")


def decode(data: bytes, headers: Mapping[str, str]) -> Inbound:
    """The work or event in a payload.

    Raises:
        BadMessage: it cannot be read, or is neither work nor event.
    """
    content = codec.decode_message(codec.unpack(data, headers))
    if not isinstance(content, _INBOUND):
        raise BadMessage("invalid_json", f"{type(content).__name__} is neither work nor event")
    return content  # pyright: ignore[reportReturnType]  # checked against the union's members


def dead_letter_headers(delivery: Delivery, origin: str, error: AcpError) -> dict[str, str]:
    """The original headers without the broker's own, and why, whence and after how many deliveries it was given up.

    `origin` is `<stream>.<sequence>`; it makes the message id, so that giving up twice keeps one letter.
    """
    kept = {name: value for name, value in delivery.headers.items() if not name.startswith("Nats-")}
    reason = " ".join(str(error).split())[:MAX_REASON_CHARS]
    return {
        **kept,
        "Acp-Dead-Reason": reason,
        "Acp-Dead-Code": error.code,
        "Acp-Dead-Subject": delivery.subject,
        "Acp-Dead-Origin": origin,
        "Acp-Dead-Delivered": str(delivery.delivered),
        MESSAGE_ID_HEADER: f"dead.{origin}",
    }
