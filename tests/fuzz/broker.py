"""Hostile messages over a real nats-server, from every login that it knows, to a workshop of five processes."""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.accounts import LOCAL_CLIENT, client_login
from bus.client import Client
from bus.connection import Connection, connect
from bus.telemetry import configure_logging
from protocol import codec
from protocol.channel import CLIENTS
from protocol.commands import GenerateImages, Requirements
from protocol.errors import AcpError
from protocol.messages import ROLES
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from tests.fuzz.envelopes import Envelope, envelopes
from tests.fuzz.recorder import Recorder
from tests.fuzz.slices import Find, SliceResult, resident_mib
from tests.fuzz.workshop import OTHER_CLIENT, Workshop, workshop

LOGINS = (*(party for party in CLIENTS if party != "client"), client_login(LOCAL_CLIENT), *ROLES)
"""Every kind of login but the supervisor's, which lives where the streams do."""

TARGET = 200_000
"""Messages of one login."""

SLICE = 1000
SHORT = 100
IN_FLIGHT = 64
ANSWER_S = 60.0
"""A planner that takes longer is dead: it answers what waits in front of a request first."""


def run_broker(folder: Path, logins: Sequence[str], count: int | None, *, short: bool) -> bool:
    """Go on with every login, in one workshop after the other; whether nothing was found."""
    return asyncio.run(_run(folder, logins, count, short=short))


async def _run(folder: Path, logins: Sequence[str], count: int | None, *, short: bool) -> bool:
    configure_logging("fuzz", "error")
    size = SHORT if short else SLICE
    recorders = {login: Recorder(folder, f"broker-{login}", TARGET) for login in logins}
    aims = {login: TARGET if count is None else one.totals.inputs + count for login, one in recorders.items()}
    if short:
        aims = {login: one.totals.inputs + SHORT for login, one in recorders.items()}
    try:
        with tempfile.TemporaryDirectory(prefix="bottega-fuzz-") as home:
            async with workshop(Path(home)) as running:
                while waiting := [login for login, one in recorders.items() if one.totals.inputs < aims[login]]:
                    for login in waiting:
                        recorder = recorders[login]
                        recorder.note(await run_login(running, login, recorder.totals.next, size))
    finally:
        outcomes = [recorder.finish() for recorder in recorders.values()]
    return all(outcomes)


async def run_login(running: Workshop, login: str, slice_number: int, size: int = SLICE) -> SliceResult:
    """One slice of a login, then a look at the processes, their logs, and a plan of a client who is not part of it."""
    result = SliceResult(slice_number)
    dice = random.Random(f"broker.{login}.{slice_number}")
    waiting = enumerate(envelopes(login, dice, size, slice_number * SLICE))
    began = time.perf_counter()
    connection = await connect(running.server.address(login), name="fuzz", wait_s=ANSWER_S)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(_send_each(connection, login, waiting, result))
        await connection.client.flush(timeout=int(ANSWER_S))
    finally:
        await connection.close()
    result.cpu_s = time.perf_counter() - began
    for cause, details in [*running.faults(), *await _plan_fault(running)]:
        result.finds.append(Find(f"broker-{login}", slice_number, size, cause, details, b""))
    result.resident_mib = resident_mib(running.planner_pid)
    return result


async def _send_each(connection: Connection, login: str, waiting: "enumerate[Envelope]", result: SliceResult) -> None:
    for number, one in waiting:
        before = time.perf_counter()
        try:
            result.counts[await _send(connection, one)] += 1
        except Exception as error:  # noqa: BLE001 - the point of a fuzzer
            cause = f"{type(error).__name__} on {one.channel}"
            details = f"{error!r}: {one.description}"
            result.finds.append(Find(f"broker-{login}", result.slice, number, cause, details, one.data))
        took = time.perf_counter() - before
        if took > result.slowest_s:
            result.slowest_s, result.slowest = took, f"{result.slice}.{number}: {one.description[:200]}"
        result.inputs += 1


async def _send(connection: Connection, one: Envelope) -> str:
    """Send it; what kind of answer came, where one is given.

    Raises:
        Exception: no answer, or one that is no reply of the protocol.
    """
    headers = one.payload.headers or None
    if not one.asks:
        await connection.client.publish(one.subject, one.data, headers=headers)
        return f"{one.channel}: sent"
    try:
        answer = await connection.client.request(one.subject, one.data, timeout=ANSWER_S, headers=headers)
    except NoRespondersError:
        return f"{one.channel}: nobody there"
    if one.channel not in ("command", "operator"):
        return f"{one.channel}: answered"
    reply = codec.decode_reply(codec.unpack(answer.data, answer.headers))
    if not isinstance(reply, ErrorReply):
        return f"{one.channel}: {type(reply).__name__}"
    if reply.error.code == "internal":
        raise RuntimeError(f"the planner failed: {reply.error.message}")
    return f"{one.channel}: error {reply.error.code}"


async def _plan_fault(running: Workshop) -> list[tuple[str, str]]:
    """What is wrong with a plan of another client; nothing where one comes in time, at whichever asking."""
    command = GenerateImages(prompts=["a mug"], requirements=Requirements(quantity=1), dry_run=True)
    deadline, said = time.monotonic() + ANSWER_S, ""
    while time.monotonic() < deadline:
        try:
            async with Client.open(running.other, client_id=OTHER_CLIENT, wait_s=ANSWER_S) as client:
                reply = await client.request(command, timeout=ANSWER_S)
        except (AcpError, NatsError, TimeoutError) as error:
            said = repr(error)
            continue
        if isinstance(reply, GenerationPlan) and reply.generation_plan.state == "planned":
            return []
        said = repr(reply)[:2000]  # such as that a busy machine has not announced its generator in time
    return [("no plan of another client", said)]
