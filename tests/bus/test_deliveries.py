"""A delivery's way through the runner: slots, outputs before the ack, retries, dead letters."""

import asyncio
import random
from collections.abc import Callable, Sequence

import pytest
from nats.aio.msg import Msg

from bus.agent import Delivery, Inbound, Intake, Outbound
from bus.connection import Address
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_WORK
from protocol.errors import BadCommand, DiskFull, Unavailable
from protocol.messages import CancelBatch, PromptsFailed
from tests.bus.scripted import (
    BATCH,
    Scripted,
    admin_of,
    listen,
    put,
    served,
    stored,
    until_stored,
    write_prompts,
    written,
)

CANCEL = CancelBatch(hash=BATCH, client_id="local")
Login = Callable[[str], Address]


async def answer(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
    return [written(message)]


def content_of(message: Msg) -> object:
    return codec.decode_message(codec.unpack(message.data, message.headers))


async def test_as_many_deliveries_are_handled_at_once_as_there_are_slots_and_no_more(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    running = highest = 0
    four_in, go = asyncio.Event(), asyncio.Event()

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        if running == 4:
            four_in.set()
        await go.wait()
        running -= 1
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, *(write_prompts(first) for first in range(12)))
        async with served(Scripted(handle=handle), login("prompt")):
            await four_in.wait()
            consumer = await admin.request_api(f"CONSUMER.INFO.{ACP_WORK}.prompt", {})
            assert consumer["num_ack_pending"] == 4, "a slot is free before a delivery is asked for"
            assert consumer["num_pending"] == 8
            go.set()
            await until_stored(admin, ACP_EVENTS, 12)
            await until_stored(admin, ACP_WORK, 0)

    assert highest == 4


async def test_a_full_disk_is_waited_for_with_the_work_in_hand_longer_than_any_other_failure(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    tries: list[int] = []

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        tries.append(delivery.delivered)
        if len(tries) < 8:
            raise DiskFull
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        agent = Scripted(handle=handle)
        async with served(agent, login("prompt")):
            await until_stored(admin, ACP_EVENTS, 1)
            await until_stored(admin, ACP_WORK, 0)
        assert await stored(admin, ACP_DEAD) == 0

    assert tries == [1] * 8
    assert agent.given_up == []


async def test_work_longer_than_the_ack_wait_is_delivered_once(workshop_server: EmbeddedServer, login: Login) -> None:
    deliveries: list[int] = []

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        deliveries.append(delivery.delivered)
        # Six ack waits: without a heartbeat the broker would have delivered it again.
        async with asyncio.timeout(5):
            for _ in range(6):
                await heard_twice(beats)
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        beats = await listen(admin, f"$JS.ACK.{ACP_WORK}.prompt.>")
        await put(admin, write_prompts())
        async with served(Scripted(handle=handle), login("prompt"), ack_wait_s=0.3):
            await until_stored(admin, ACP_EVENTS, 1)
            await until_stored(admin, ACP_WORK, 0)

    assert deliveries == [1]


async def heard_twice(beats: asyncio.Queue[Msg]) -> None:
    for _ in range(2):
        assert (await beats.get()).data == b"+WPI"


async def test_work_is_not_acknowledged_before_its_outputs_are_stored(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    handled = asyncio.Event()

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        handled.set()
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        events = (await admin.request_api(f"STREAM.INFO.{ACP_EVENTS}", {}))["config"]
        await admin.request_api(f"STREAM.DELETE.{ACP_EVENTS}", {})
        attempts = await listen(admin, subjects.EVENTS)
        async with served(Scripted(handle=handle), login("prompt")):
            await handled.wait()
            first, second = await attempts.get(), await attempts.get()
            ids = [(message.headers or {})["Nats-Msg-Id"] for message in (first, second)]
            assert ids[0] == ids[1], "repeated with the same id until the broker has it"
            assert await stored(admin, ACP_WORK) == 1, "and until then the work is not acknowledged"
            await admin.request_api(f"STREAM.CREATE.{ACP_EVENTS}", events)
            await until_stored(admin, ACP_EVENTS, 1)
            await until_stored(admin, ACP_WORK, 0)


async def test_an_output_that_is_said_again_after_a_redelivery_is_stored_once(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        if delivery.delivered == 1:
            await agent.outlet.publish(written(message))
            raise Unavailable("timeout", "published, and then something went wrong before the ack")
        return [written(message)]

    agent = Scripted(handle=handle)
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        async with served(agent, login("prompt")):
            await until_stored(admin, ACP_WORK, 0)
            assert await stored(admin, ACP_EVENTS) == 1


async def test_an_output_whose_subject_is_still_queued_counts_as_said(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    agent = Scripted("planner", intakes=())
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        async with served(agent, login("planner")):
            await agent.outlet.publish(write_prompts())
            await agent.outlet.publish(write_prompts(), resend=1)
        assert await stored(admin, ACP_WORK) == 1


async def test_work_that_was_lost_is_taken_again_under_another_message_id(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    agent = Scripted("planner", intakes=())
    async with asyncio.timeout(20), admin_of(workshop_server) as admin, served(agent, login("planner")):
        await agent.outlet.publish(write_prompts())
        await agent.outlet.purge_batch(BATCH)
        assert await stored(admin, ACP_WORK) == 0
        await agent.outlet.publish(write_prompts())
        assert await stored(admin, ACP_WORK) == 0, "the same id is a duplicate within the window"
        await agent.outlet.publish(write_prompts(), resend=1)
        assert await stored(admin, ACP_WORK) == 1


async def test_a_retryable_failure_is_delivered_again_after_its_back_off(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    times: list[float] = []

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        times.append(asyncio.get_running_loop().time())
        if delivery.delivered < 3:
            raise Unavailable("timeout", "busy")
        return [written(message)]

    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await put(admin, write_prompts())
        async with served(Scripted(handle=handle), login("prompt"), backoff=(0.1, 0.4)):
            await until_stored(admin, ACP_EVENTS, 1)
        assert await stored(admin, ACP_DEAD) == 0

    assert times[1] - times[0] >= 0.1
    assert times[2] - times[1] >= 0.4


@pytest.mark.parametrize(
    ("failure", "deliveries", "code"),
    [
        pytest.param(BadCommand("invalid_value", "cannot be\ndone"), 1, "invalid_value", id="no-repetition-cures-it"),
        pytest.param(Unavailable("out_of_memory", "full"), 3, "out_of_memory", id="retried-to-the-last"),
        pytest.param(ZeroDivisionError("a defect"), 3, "internal", id="a-defect"),
    ],
)
async def test_what_is_given_up_lies_in_the_dead_letters_as_it_came_and_is_told(
    workshop_server: EmbeddedServer, login: Login, failure: Exception, deliveries: int, code: str
) -> None:
    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        raise failure

    agent = Scripted(handle=handle)
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        letters = await listen(admin, subjects.DEAD)
        events = await listen(admin, subjects.EVENTS)
        await put(admin, write_prompts())
        async with served(agent, login("prompt")):
            letter, event = await letters.get(), await events.get()
            await until_stored(admin, ACP_WORK, 0)
        assert await stored(admin, ACP_DEAD) == 1

    payload, headers = codec.pack(write_prompts())
    assert letter.subject == "acp.v1.dead.prompt"
    assert letter.data == payload
    assert letter.headers is not None
    assert letter.headers["Acp-Dead-Code"] == code
    assert letter.headers["Acp-Dead-Subject"] == subjects.subject_of(write_prompts())
    assert letter.headers["Acp-Dead-Delivered"] == str(deliveries)
    assert letter.headers.items() >= headers.items(), "so that it can still be decoded"
    failed = content_of(event)
    assert isinstance(failed, PromptsFailed)
    assert failed.error.code == code


@pytest.mark.parametrize(
    ("payload", "headers", "code"),
    [
        pytest.param(b"\x00not json", {}, "invalid_json", id="not-json"),
        pytest.param(b"not zstd", {"Content-Encoding": "zstd"}, "bad_encoding", id="not-the-encoding-it-names"),
        pytest.param(codec.compress(bytes(2_000_000)), {"Content-Encoding": "zstd"}, "too_large", id="a-bomb"),
        pytest.param(
            codec.encode(CancelBatch(hash="b", client_id="c")), {}, "invalid_json", id="neither-work-nor-event"
        ),
    ],
)
async def test_what_cannot_be_read_goes_to_the_dead_letters_at_once(
    workshop_server: EmbeddedServer, login: Login, payload: bytes, headers: dict[str, str], code: str
) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        letters = await listen(admin, subjects.DEAD)
        js = admin.client.jetstream()  # pyright: ignore[reportUnknownMemberType]
        await js.publish("acp.v1.work.prompt.broken.0", payload, headers=headers)
        async with served(Scripted(), login("prompt")):
            letter = await letters.get()
            await until_stored(admin, ACP_WORK, 0)

    assert letter.data == payload
    assert letter.headers is not None
    assert letter.headers["Acp-Dead-Code"] == code
    assert letter.headers["Acp-Dead-Delivered"] == "1"


async def test_an_output_larger_than_a_message_may_be_is_given_up(
    workshop_server: EmbeddedServer, login: Login
) -> None:
    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        # Random text, because it must not compress.
        text = "".join(chr(33 + byte % 90) for byte in random.Random(1).randbytes(3_000_000))
        big = written(message)
        return [type(big)(hash=BATCH, client_id="local", first=0, prompts=[type(big.prompts[0])(text=text)])]

    agent = Scripted(handle=handle)
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        letters = await listen(admin, subjects.DEAD)
        await put(admin, write_prompts())
        async with served(agent, login("prompt")):
            letter = await letters.get()
            await until_stored(admin, ACP_WORK, 0)

    assert letter.headers is not None
    assert letter.headers["Acp-Dead-Code"] == "too_large"


async def test_two_processes_of_a_role_share_the_work(workshop_server: EmbeddedServer, login: Login) -> None:
    both_in = asyncio.Barrier(2)

    async def handle(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        await both_in.wait()
        return [written(message)]

    intake = Intake(ACP_WORK, "prompt", (subjects.work_filter("prompt"),), slots=1)
    one_slot = [Scripted(handle=handle, intakes=(intake,)) for _ in range(2)]
    async with (
        asyncio.timeout(20),
        admin_of(workshop_server) as admin,
        served(one_slot[0], login("prompt")),
        served(one_slot[1], login("prompt")),
    ):
        await put(admin, *(write_prompts(first) for first in range(8)))
        await until_stored(admin, ACP_EVENTS, 8)
