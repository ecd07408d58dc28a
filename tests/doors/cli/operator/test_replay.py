"""Dead letters are said again where the planner still waits for their work, and dropped with words where not."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents.doors.cli.operator.dead_letters import format_age, summary_of
from agents.doors.cli.operator.replay import replay_letters
from agents.generator.agent import Generator
from agents.generator.providers.instant import FlatColourEngine
from agents.generator.registry import registry
from agents.shared.settings import Settings
from bus.agent import Delivery, Inbound, Outbound
from bus.client import Client
from bus.connection import Address
from bus.dead_letters import DeadLetter
from bus.local_blobs import LocalBlobs
from bus.operator import Operator
from bus.runner import RunnerOptions, serve
from protocol.commands import GenerateImages, Requirements, Result
from protocol.errors import AcpError, Refused
from protocol.plans import GenerationPlan
from protocol.results import GenerationResult, ResultBody
from protocol.subjects import subject_matches
from tests.workshop import all_announced, instant_settings, served

Login = Callable[[str], Address]


class Stumbling(Generator):
    """Gives up on pictures until it is well. A mute one dies, as it were, before it can say so."""

    well = False
    mute = True

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        if self.well:
            return await super().handle(message, delivery)
        raise Refused("not_installed", "the weights are gone")

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        return () if self.mute else await super().give_up(message, error)


@asynccontextmanager
async def generating(generator: Generator, login: Login) -> AsyncGenerator[None]:
    stop, ready = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        options = RunnerOptions(signals=False, stop=stop, on_ready=ready.set)
        group.create_task(serve(generator, login("generator"), options))
        await ready.wait()
        try:
            yield
        finally:
            stop.set()


def stumbling(settings: Settings) -> Stumbling:
    known = registry.load(settings.models, settings.loras, settings.home / "models.toml").with_everything_installed()
    return Stumbling(FlatColourEngine(), known, LocalBlobs(settings.blobs))


async def given_up(operator: Operator, count: int) -> list[DeadLetter]:
    """The letters, once there are so many."""
    while True:
        letters = [letter async for letter in operator.dead_letters.newest_first()]
        if len(letters) == count:
            return letters


async def started(client: Client) -> str:
    order = GenerateImages(brief="a mug", platform="pocket", requirements=Requirements(quantity=1), max_attempts=1)
    plan = await client.request(order)
    assert isinstance(plan, GenerationPlan)
    assert plan.hash is not None, plan
    return plan.hash


async def ended(client: Client, batch: str) -> ResultBody:
    result = await client.request(Result(hash=batch, wait_s=20), timeout=25)
    assert isinstance(result, GenerationResult)
    return result.generation_result


@asynccontextmanager
async def workshop(tmp_path: Path, login: Login, mute: bool) -> AsyncGenerator[tuple[Client, Operator, Stumbling]]:
    """A workshop whose generator is not well, and whose planner sends nothing again by itself."""
    settings = instant_settings(tmp_path / "home", stale_s=300.0)
    generator = stumbling(settings)
    generator.mute = mute
    async with (
        asyncio.timeout(50),
        generating(generator, login),
        served(settings, login, ("planner", "prompt", "qa", "storage")) as client,
        Operator.open(login("operator")) as operator,
    ):
        await all_announced(login("operator"), ("generator",))
        yield client, operator, generator


async def test_a_picture_that_is_still_waited_for_is_made_once_its_letter_is_said_again(
    tmp_path: Path, login: Login
) -> None:
    async with workshop(tmp_path, login, mute=True) as (client, operator, generator):
        batch = await started(client)
        (letter,) = await given_up(operator, 1)
        assert summary_of(letter).kind == "GenerateImage"
        assert (summary_of(letter).client, summary_of(letter).hash) == ("local", batch)
        generator.well = True
        done = await replay_letters(operator, [letter.id])
        assert (done.replayed, done.dropped) == ([letter.id], [])
        body = await ended(client, batch)
        assert [image.status for image in body.images] == ["completed"]
        assert await operator.dead_letters.find(letter.id) is None


async def test_a_letter_said_again_twice_makes_one_picture(tmp_path: Path, login: Login) -> None:
    async with workshop(tmp_path, login, mute=True) as (client, operator, generator):
        batch = await started(client)
        (letter,) = await given_up(operator, 1)
        generator.well = True
        for _ in range(2):  # as by a process that died before it took the letter away
            await operator.dead_letters.republish(letter)
        body = await ended(client, batch)
        assert [(image.status, image.attempts) for image in body.images] == [("completed", 1)]
        done = await replay_letters(operator, [letter.id])
        assert [one.reason for one in done.dropped] == [f"picture 0 of {batch} has ended: it is completed"]
        assert (await ended(client, batch)).generation_status.completed == 1


async def test_work_of_a_picture_that_failed_is_dropped_with_words(tmp_path: Path, login: Login) -> None:
    async with workshop(tmp_path, login, mute=False) as (client, operator, generator):
        batch = await started(client)
        body = await ended(client, batch)
        assert [image.status for image in body.images] == ["failed"]
        (letter,) = await given_up(operator, 1)
        generator.well = True
        done = await replay_letters(operator, [letter.id])
        again = f"picture 0 of {batch} has ended: it is failed; to try it again: bottega retry {batch} --image 0"
        assert [(one.id, one.reason) for one in done.dropped] == [(letter.id, again)]
        assert await given_up(operator, 0) == []
        assert [image.status for image in (await ended(client, batch)).images] == ["failed"]


@pytest.mark.parametrize(
    ("pattern", "subject", "covered"),
    [
        ("acp.v1.work.generate.>", "acp.v1.work.generate.pocket.b.0.1", True),
        ("acp.v1.work.>", "acp.v1.work", False),
        ("acp.*.work.qa.b.0.1", "acp.v1.work.qa.b.0.1", True),
        ("acp.v1.work.qa", "acp.v1.work.qa.b", False),
        (">", "anything.at.all", True),
    ],
)
def test_a_pattern_covers_subjects_as_the_broker_has_it(pattern: str, subject: str, covered: bool) -> None:
    assert subject_matches(pattern, subject) == covered


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, shown: str) -> None:
    then = datetime(2026, 1, 1, tzinfo=UTC)
    assert format_age(then.isoformat(), then + timedelta(seconds=seconds)) == shown
