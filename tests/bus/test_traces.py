"""One trace goes from a command over every hop to the last event."""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bus import telemetry
from bus.agent import Delivery, Inbound, Outbound
from bus.connection import Address
from bus.server import EmbeddedServer
from protocol import subjects
from tests.bus.scripted import (
    BATCH,
    PLANNER_EVENTS,
    Scripted,
    admin_of,
    listen,
    operator_of,
    raw_endpoint,
    served,
    write_prompts,
    written,
)

Login = Callable[[str], Address]
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Recorder:
    """Spans of one process, kept in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = provider.get_tracer("test")

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._exporter.get_finished_spans()}


async def test_a_command_its_work_and_its_events_share_a_trace(workshop_server: EmbeddedServer, login: Login) -> None:
    recorders = {"planner": Recorder(), "prompt": Recorder()}
    wake, counted = asyncio.Event(), asyncio.Event()

    async def accept(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        return json.dumps({"hash": BATCH}).encode(), {}

    async def count(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        counted.set()
        return []

    async def answer(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        return [written(message)]

    planner = Scripted("planner", count, intakes=(PLANNER_EVENTS,), endpoints=[raw_endpoint(subjects.COMMANDS, accept)])

    async def send_from_a_loop_of_its_own() -> None:
        await wake.wait()
        await planner.outlet.publish(write_prompts())

    async with (
        asyncio.timeout(20),
        operator_of(workshop_server) as operator,
        asyncio.TaskGroup() as group,
        served(planner, login("planner"), tracer=recorders["planner"].tracer),
        served(Scripted(handle=answer), login("prompt"), tracer=recorders["prompt"].tracer),
    ):
        group.create_task(send_from_a_loop_of_its_own())
        await operator.client.request("acp.v1.command.me", b"{}", headers={"traceparent": TRACEPARENT}, timeout=5)
        wake.set()
        await counted.wait()

    spans = {**recorders["planner"].spans(), **recorders["prompt"].spans()}
    names = [
        "process acp.v1.command",
        "send acp.v1.work.prompt",
        "process acp.v1.work.prompt",
        "send acp.v1.event.prompts_written",
        "process acp.v1.event.prompts_written",
    ]
    assert set(names) <= set(spans)
    for name in names:
        context = spans[name].context
        assert context is not None
        assert f"{context.trace_id:032x}" == TRACE
    for parent, child in itertools.pairwise(names):
        above, below = spans[parent].context, spans[child].parent
        assert above is not None
        assert below is not None
        assert below.span_id == above.span_id


async def test_without_an_exporter_trace_ids_flow_all_the_same(workshop_server: EmbeddedServer, login: Login) -> None:
    async def answer(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        return [written(message)]

    planner = Scripted("planner", intakes=())
    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        served(planner, login("planner")),
        served(Scripted(handle=answer), login("prompt")),
    ):
        work, events = await listen(admin, subjects.WORK), await listen(admin, subjects.EVENTS)
        await planner.outlet.publish(write_prompts())
        sent, returned = await work.get(), await events.get()

    assert sent.headers is not None
    assert returned.headers is not None
    version, trace, span, _ = sent.headers["traceparent"].split("-")
    assert (version, len(trace), len(span)) == ("00", 32, 16)
    assert returned.headers["traceparent"].split("-")[1] == trace
    assert returned.headers["traceparent"] != sent.headers["traceparent"]


async def test_a_broken_traceparent_begins_a_new_trace(workshop_server: EmbeddedServer, login: Login) -> None:
    async def accept(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        return b"{}", {}

    recorder = Recorder()
    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(subjects.COMMANDS, accept)])
    async with (
        asyncio.timeout(20),
        operator_of(workshop_server) as operator,
        served(planner, login("planner"), tracer=recorder.tracer),
    ):
        await operator.client.request("acp.v1.command.me", b"", headers={"traceparent": "00-nonsense"}, timeout=5)
    assert recorder.spans()["process acp.v1.command"].parent is None


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("acp.v1.work.generate.pocket.batch.0.1", "acp.v1.work.generate.pocket"),
        ("acp.v1.work.qa.batch.0.1", "acp.v1.work.qa"),
        ("acp.v1.event.local.batch.stored", "acp.v1.event.stored"),
        ("acp.v1.status.local.batch", "acp.v1.status"),
        ("acp.v1.command.me", "acp.v1.command"),
    ],
)
def test_span_names_carry_no_ids(subject: str, name: str) -> None:
    assert telemetry.subject_without_ids(subject) == name
