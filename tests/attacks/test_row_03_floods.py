"""Row 3: what one client sends too much of costs that client: others are answered, and what is kept of it has a
bound."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nats
from nats.aio.msg import Msg

from bus.client import Client
from bus.connection import Address
from bus.fair_queue import MAX_REFUSALS_PER_S, MAX_WAITING
from protocol.commands import Cancel, GenerateImages, List, Requirements
from protocol.plans import GenerationPlan
from protocol.replies import ErrorReply
from protocol.results import BatchList
from tests.workshop import instant_settings, served

Login = Callable[[str], Address]
MESSAGES = 5000


def plan(name: str) -> GenerateImages:
    return GenerateImages(brief=f"a mug, {name}", hold=True, platform="pocket", requirements=Requirements(quantity=1))


async def test_a_flood_of_messages_is_refused_in_part_and_others_are_answered_beside_it(
    tmp_path: Path, login: Login
) -> None:
    codes: Counter[str] = Counter()

    async def note(message: Msg) -> None:
        error = json.loads(message.data)["error"]
        codes[error["code"]] += 1
        if error["code"] == "queue_full":
            assert error["retryable"]
            assert 0 < error["retry_after_s"] <= 10

    settings = instant_settings(tmp_path / "home")
    async with asyncio.timeout(60), served(settings, login, ("planner", "prompt", "generator")) as other:
        flooder = await nats.connect(  # pyright: ignore[reportUnknownMemberType]
            login("client_local").url_with_credentials
        )
        inbox = flooder.new_inbox()
        await flooder.subscribe(inbox, cb=note)  # pyright: ignore[reportUnknownMemberType]
        for number in range(MESSAGES):
            await flooder.publish("acp.v1.command.local", b"{}", reply=inbox)
            if number % 1000 == 0:
                assert isinstance(await other.request(plan(str(number)), "acme"), GenerationPlan)
        await flooder.flush()
        assert isinstance(await other.request(List(), "acme"), BatchList)
        # The flooder is told again as soon as there is room: nothing of the flood stays.
        while codes["queue_full"] == 0 and codes.total() < MESSAGES:
            await other.request(List(), "acme")
        async with Client.open(login("client_local")) as same:
            while not isinstance(await same.request(List()), BatchList):
                pass
        await flooder.close()
    assert codes["queue_full"] > 0
    assert codes.total() < MESSAGES, "a refusal is said so often in a second, and no more"
    assert codes["queue_full"] <= MAX_REFUSALS_PER_S * 60
    assert codes.total() - codes["queue_full"] >= min(MESSAGES, MAX_WAITING)


async def test_plans_that_wait_batches_that_run_and_names_that_come_in_are_bounded_for_each(
    tmp_path: Path, login: Login
) -> None:
    settings = instant_settings(
        tmp_path / "home", max_held_plans=3, max_unfinished_batches=5, max_known_clients=4, open_door=True
    )
    async with asyncio.timeout(60), served(settings, login, ("planner", "prompt", "generator")) as client:
        held = [await client.request(plan(str(n)), "acme") for n in range(4)]
        assert [type(reply) for reply in held] == [GenerationPlan] * 3 + [ErrorReply]
        assert isinstance(held[3], ErrorReply)
        assert (held[3].error.code, held[3].error.retryable) == ("queue_full", True)
        assert "3 plans of acme wait for an approval" in held[3].error.message

        assert isinstance(await client.request(plan("another's"), "other"), GenerationPlan)
        assert isinstance(held[0], GenerationPlan)
        assert held[0].hash is not None
        await client.request(Cancel(hash=held[0].hash), "acme")
        assert isinstance(await client.request(plan("again"), "acme"), GenerationPlan)

        names = [await client.request(plan("x"), f"name-{n}") for n in range(4)]
        refused = [reply.error for reply in names if isinstance(reply, ErrorReply)]
        assert refused
        assert {error.code for error in refused} == {"queue_full"}
        assert "clients are known here" in refused[0].message
        assert isinstance(await client.request(plan("mine"), "other"), GenerationPlan)
