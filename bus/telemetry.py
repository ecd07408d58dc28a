"""Logs and traces of a process: JSON lines with trace ids on standard error, a span per message.

Without `OTEL_EXPORTER_OTLP_ENDPOINT` no span is recorded; trace ids flow all the same.
"""

import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Protocol

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bus.repeated_warnings import RepeatedWarnings
from bus.trace_ids import MAX_BATCHES, TraceIds, current_trace

_propagator = TraceContextTextMapPropagator()


class LossyLogger(structlog.PrintLogger):
    """Loses lines where their file has no room, rather than end the work that they tell of."""

    def msg(self, message: str) -> None:
        """Write a line if that is possible."""
        with suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def configure_logging(role: str, level: str = "info") -> None:
    """JSON lines on standard error, each with role, process id and, inside a span, its trace and span id."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            RepeatedWarnings(time.monotonic),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_origin(role),
            _add_trace,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: LossyLogger(sys.stderr),  # the stream of the moment: tests exchange it
        cache_logger_on_first_use=False,
    )


class Tracing(Protocol):
    """The place of messages in traces."""

    def processing_span(
        self, subject: str, headers: Mapping[str, str] | None, kind: SpanKind
    ) -> AbstractContextManager[Span]:
        """The handling of one received message, child of the span its headers name."""
        ...

    def inject_trace(self, subject: str, headers: MutableMapping[str, str], batch: str | None) -> None:
        """Write the place of one message that is sent into its headers. One that nothing received causes joins the
        trace of its batch."""
        ...

    def remember_batch(self, batch: str) -> None:
        """The current trace is the trace of this batch."""
        ...


def tracing_of(role: str, tracer: Tracer | None = None) -> Tracing:
    """What a process traces with: `tracer`, or an exporter over OTLP/HTTP where the standard variable names an
    endpoint, or trace ids alone."""
    if tracer is not None:
        return SpanTracing(tracer)
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return TraceIds()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"bottega-{role}"}), sampler=ParentBased(ALWAYS_ON)
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return SpanTracing(provider.get_tracer("bottega.bus"))


def subject_without_ids(subject: str) -> str:
    """A subject without its ids, for span names: few enough to be counted. Pure."""
    tokens = subject.split(".")
    match tokens[2:3]:
        case ["work"]:
            kept = 5 if tokens[3:4] == ["generate"] else 4
            return ".".join(tokens[:kept])
        case ["event"] if len(tokens) == 6:
            return ".".join([*tokens[:3], tokens[5]])
        case _:
            return ".".join(tokens[:3])


class SpanTracing:
    """Spans around messages, and the memory of which trace a batch belongs to.

    An agent's own loop says things that no delivery causes; such a message joins the trace of its batch.
    """

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._batches: OrderedDict[str, Context] = OrderedDict()

    @contextmanager
    def processing_span(self, subject: str, headers: Mapping[str, str] | None, kind: SpanKind) -> Generator[Span]:
        """A span for the handling of one received message, child of the span its headers name."""
        parent = _propagator.extract(headers or {})
        with self._tracer.start_as_current_span(
            f"process {subject_without_ids(subject)}",
            context=parent,
            kind=kind,
            attributes={
                "messaging.system": "nats",
                "messaging.operation.type": "process",
                "messaging.destination.name": subject,
            },
        ) as span:
            yield span

    def inject_trace(self, subject: str, headers: MutableMapping[str, str], batch: str | None) -> None:
        """A span for one message that is sent, written into its headers."""
        around = trace.get_current_span()
        within = None
        if around.get_span_context().is_valid:
            if not around.is_recording():  # nor would its child: the trace id is enough
                _propagator.inject(headers)
                return
        elif batch is not None:
            within = self._batches.get(batch)
        span = self._tracer.start_span(
            f"send {subject_without_ids(subject)}",
            context=within,
            kind=SpanKind.PRODUCER,
            attributes={
                "messaging.system": "nats",
                "messaging.operation.type": "send",
                "messaging.destination.name": subject,
            },
        )
        context = trace.set_span_in_context(span)
        _propagator.inject(headers, context)
        if batch is not None and batch not in self._batches:
            self._remember(batch, context)
        span.end()

    def remember_batch(self, batch: str) -> None:
        """The current span's trace is the trace of this batch."""
        if trace.get_current_span().get_span_context().is_valid:
            self._remember(batch, otel_context.get_current())

    def _remember(self, batch: str, context: Context) -> None:
        self._batches[batch] = context
        self._batches.move_to_end(batch)
        while len(self._batches) > MAX_BATCHES:
            self._batches.popitem(last=False)


def _add_origin(role: str) -> structlog.typing.Processor:
    pid = os.getpid()

    def add(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["role"] = role
        event["pid"] = pid
        return event

    return add


def _add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (here := current_trace()) is not None:
        event["trace_id"], event["span_id"] = here.trace, here.span
        return event
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
