"""Dead letters: looked at newest first, said again where they were, once however often asked, taken away."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

import pytest

from bus.agent import Delivery, Inbound, Outbound
from bus.connection import Address
from bus.dead_letters import DeadLetter, DeadLetters
from bus.operator import Operator
from bus.server import EmbeddedServer
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_WORK
from protocol.errors import BadCommand, Refused, Unavailable
from tests.bus.scripted import Scripted, admin_of, put, served, stored, until_stored, write_prompts, written

Login = Callable[[str], Address]


async def refuse(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
    raise BadCommand("invalid_value", "a style\nthat nobody has")


async def answer(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
    return [written(message)]


@pytest.fixture
async def operator(workshop_server: EmbeddedServer, login: Login) -> AsyncGenerator[Operator]:
    """The operator of a workshop in which the prompts 0 to 3 were given up."""
    async with asyncio.timeout(30), admin_of(workshop_server) as admin:
        async with served(Scripted("prompt", refuse), login("prompt")):
            for first in range(4):
                await put(admin, write_prompts(first))
                await until_stored(admin, ACP_DEAD, first + 1)
            await until_stored(admin, ACP_WORK, 0)
        async with Operator.open(login("operator")) as operator:
            yield operator


async def seen(letters: DeadLetters, before: int | None = None) -> list[DeadLetter]:
    return [letter async for letter in letters.newest_first(before)]


async def test_a_letter_says_what_was_given_up_where_and_why(operator: Operator) -> None:
    letter = await operator.dead_letters.find(2)
    assert letter is not None
    assert letter.content == write_prompts(1)
    assert (letter.role, letter.code, letter.delivered) == ("prompt", "invalid_value", 1)
    assert letter.subject == "acp.v1.work.prompt.gen_batch_1.1"
    assert letter.reason == "invalid_value: a style that nobody has"
    assert letter.origin.startswith("ACP_WORK.")
    assert not {name for name in letter.headers if name.startswith(("Nats-", "Acp-Dead-"))}


async def test_letters_come_newest_first_and_a_page_goes_on_where_the_last_one_ended(operator: Operator) -> None:
    assert [letter.id for letter in await seen(operator.dead_letters)] == [4, 3, 2, 1]
    assert [letter.id for letter in await seen(operator.dead_letters, before=3)] == [2, 1]
    assert await seen(operator.dead_letters, before=1) == []


async def test_a_letter_that_was_taken_away_is_not_there_and_cannot_be_taken_twice(operator: Operator) -> None:
    letter = await operator.dead_letters.find(3)
    assert letter is not None
    for _ in range(2):
        await operator.dead_letters.remove(letter)
    assert await operator.dead_letters.find(3) is None
    assert [letter.id for letter in await seen(operator.dead_letters)] == [4, 2, 1]


async def test_where_nothing_was_given_up_there_are_no_letters(workshop_server: EmbeddedServer, login: Login) -> None:
    async with asyncio.timeout(20), Operator.open(login("operator")) as operator:
        assert await seen(operator.dead_letters) == []
        assert await operator.dead_letters.find(1) is None


async def test_a_letter_is_handled_once_however_often_it_is_said_again(
    workshop_server: EmbeddedServer, login: Login, operator: Operator
) -> None:
    handled: list[Inbound] = []

    async def note(message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        handled.append(message)
        return await answer(message, delivery)

    letter = await operator.dead_letters.find(1)
    assert letter is not None
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        for _ in range(3):
            await operator.dead_letters.republish(letter)
        assert await stored(admin, ACP_WORK) == 1
        async with served(Scripted("prompt", note), login("prompt")):
            await until_stored(admin, ACP_WORK, 0)
            for _ in range(3):
                await operator.dead_letters.republish(letter)
            assert await stored(admin, ACP_WORK) == 0
            await until_stored(admin, ACP_EVENTS, 5)
    assert handled == [write_prompts(0)]


async def test_only_places_of_work_and_events_are_spoken_on(operator: Operator) -> None:
    letter = await operator.dead_letters.find(1)
    assert letter is not None
    with pytest.raises(Refused):
        await operator.dead_letters.republish(replace(letter, subject="acp.v1.control.qa"))


async def test_where_a_server_has_no_streams_it_is_told_what_makes_them(nats_server: EmbeddedServer) -> None:
    async with asyncio.timeout(30), Operator.open(nats_server.address("operator")) as operator:
        with pytest.raises(Unavailable, match="dead letters") as told:
            await seen(operator.dead_letters)
        assert told.value.body.hint
