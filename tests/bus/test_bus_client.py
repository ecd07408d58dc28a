"""What a client can do: ask, watch, and hear clearly when nobody is there."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import aclosing

import pytest
from nats.aio.client import Client as Nats

from bus.client import Client
from bus.connection import Address
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.commands import List
from protocol.errors import AcpError, BadCommand, Unavailable
from protocol.messages import Progress, ref_of
from protocol.replies import ErrorReply
from protocol.results import BatchList, BatchListBody, GenerationStatus, Performance, QualityMetrics, StatusBody
from tests.bus.scripted import (
    BATCH,
    RawAnswer,
    Scripted,
    job,
    raw_endpoint,
    served,
)

Login = Callable[[str], Address]
COMMANDS = "acp.v1.command.*"
EMPTY_LIST = BatchList(batch_list=BatchListBody(batches=[], next=None))


def status(completed: int) -> GenerationStatus:
    body = StatusBody(
        completed=completed,
        processing=0,
        queued=100 - completed,
        quality_metrics=QualityMetrics(avg_score=None, consistency=None, rejection_rate=None),
        performance=Performance(avg_time=None, gpu_util=None),
        cost_per_image=None,
    )
    return GenerationStatus(generation_status=body, hash=BATCH)


def planner_that_answers(answer: RawAnswer) -> Scripted:
    return Scripted("planner", intakes=(), endpoints=[raw_endpoint(COMMANDS, answer)])


async def test_a_command_gets_its_reply_and_bytes_go_as_they_are(workshop_server: EmbeddedServer, login: Login) -> None:
    seen: list[tuple[bytes, str]] = []

    async def answer(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        seen.append((payload, subject))
        return codec.pack(EMPTY_LIST)

    async with (
        asyncio.timeout(20),
        served(planner_that_answers(answer), login("planner")),
        Client.open(login("operator")) as client,
    ):
        assert await client.request(List(), client_id="me") == EMPTY_LIST
        assert await client.request(b'{"as":"it is"}') == EMPTY_LIST
    assert seen == [(codec.encode(List()), "acp.v1.command.me"), (b'{"as":"it is"}', "acp.v1.command.local")]


async def test_a_cancelled_task_is_answered_in_its_last_words(workshop_server: EmbeddedServer, login: Login) -> None:
    asked = asyncio.Event()

    async def answer(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        return codec.pack(EMPTY_LIST)

    async def ask_at_the_end(client: Client) -> object:
        try:
            asked.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await client.request(List())

    async with (
        asyncio.timeout(20),
        served(planner_that_answers(answer), login("planner")),
        Client.open(login("operator")) as client,
    ):
        task = asyncio.create_task(ask_at_the_end(client))
        await asked.wait()
        task.cancel()
        assert await task == EMPTY_LIST


async def test_a_refusal_is_a_reply(workshop_server: EmbeddedServer, login: Login) -> None:
    async def refuse(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        raise BadCommand("unknown_field", "no such field")

    async with (
        asyncio.timeout(20),
        served(planner_that_answers(refuse), login("planner")),
        Client.open(login("operator")) as client,
    ):
        reply = await client.request(b"{}")
    assert isinstance(reply, ErrorReply)
    assert reply.error.code == "unknown_field"


async def test_without_a_planner_a_command_fails_at_once(workshop_server: EmbeddedServer, login: Login) -> None:
    async with asyncio.timeout(5), Client.open(login("operator")) as client:
        with pytest.raises(Unavailable, match="no planner runs"):
            await client.request(List(), timeout=60)


async def test_a_planner_that_does_not_answer_is_not_waited_for_longer_than_asked(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def never(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        await asyncio.Event().wait()
        return b"", {}

    async with (
        asyncio.timeout(20),
        served(planner_that_answers(never), login("planner"), drain_s=0.1),
        Client.open(login("operator")) as client,
    ):
        with pytest.raises(Unavailable, match="did not answer"):
            await client.request(List(), timeout=0.2)


@pytest.mark.parametrize("name", ["", "a.b", "*", ">", "me me", "a" * 65, "all"])
async def test_a_client_id_that_is_none_is_refused_before_it_becomes_a_subject(
    workshop_server: EmbeddedServer, login: Login, name: str
) -> None:
    async with asyncio.timeout(10), Client.open(login("operator")) as client:
        with pytest.raises(BadCommand):
            await client.request(List(), client_id=name)


async def test_a_command_too_large_for_the_broker_is_refused_here(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async with asyncio.timeout(10), Client.open(login("operator")) as client:
        with pytest.raises(AcpError) as refusal:
            await client.request(bytes(codec.MAX_MESSAGE_BYTES + 1))
    assert refusal.value.code == "too_large"


async def test_a_late_watcher_gets_the_last_status_and_then_the_newer_ones(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def answer(payload: bytes, headers: Mapping[str, str], subject: str) -> tuple[bytes, Mapping[str, str]]:
        assert json.loads(payload)["cmd"] == "STATUS"
        return codec.encode(status(3)), {}

    planner = Scripted("planner", intakes=(), endpoints=[raw_endpoint(subjects.COMMANDS, answer)])
    async with (
        asyncio.timeout(20),
        served(planner, login("planner")),
        Client.open(login("operator")) as client,
    ):
        for completed in (1, 2, 3):
            await planner.outlet.publish_status(status(completed), "local")
        async with aclosing(client.watch_status("local", BATCH)) as statuses:
            assert await anext(statuses) == status(3)
            await planner.outlet.publish_status(status(4), "local")
            assert await anext(statuses) == status(4)


async def test_a_watch_of_a_status_goes_on_over_a_restart_of_the_broker(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    planner = Scripted("planner", intakes=())
    async with (
        asyncio.timeout(30),
        served(planner, login("planner")),
        Client.open(login("operator")) as client,
        aclosing(client.watch_status("local", BATCH)) as statuses,
    ):
        first = asyncio.ensure_future(anext(statuses))
        while not first.done():  # what was said before the watch began is asked for, and this planner does not answer
            await planner.outlet.publish_status(status(1), "local")
        assert await first == status(1)
        os.kill(workshop_server.pid, signal.SIGKILL)
        await workshop_server.wait()
        await workshop_server.start()
        second = asyncio.ensure_future(anext(statuses))
        while not second.done():
            await planner.outlet.publish_status(status(2), "local")
        assert await second == status(2)


async def test_statuses_of_a_batch_are_published_in_the_order_they_were_said(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    address = login("operator")
    plain = Nats()
    await plain.connect(address.url_with_credentials)
    heard = await plain.subscribe("acp.v1.status.>")  # pyright: ignore[reportUnknownMemberType]
    planner = Scripted("planner", intakes=())
    async with asyncio.timeout(20), served(planner, login("planner")):
        await plain.flush()
        await plain.flush()
        await asyncio.gather(*(planner.outlet.publish_status(status(n), "local") for n in range(50)))
        found = [(await heard.next_msg(5)).data for _ in range(50)]
    await plain.close()
    assert found == [codec.encode(status(n)) for n in range(50)]


async def test_progress_is_heard_by_who_watches(workshop_server: EmbeddedServer, login: Login) -> None:
    generator = Scripted("generator", intakes=())
    progress = Progress(ref=ref_of(job()), stage="generator", step=3, steps=8)
    async with (
        asyncio.timeout(20),
        served(generator, login("generator")),
        Client.open(login("operator")) as client,
        aclosing(client.watch_progress("local", BATCH)) as heard,
    ):
        first = asyncio.ensure_future(anext(heard))
        while not first.done():  # lossy: what was said before the watch began is not heard
            await asyncio.to_thread(generator.outlet.publish_progress, progress)
            await asyncio.to_thread(lambda: None)
        assert await first == progress
