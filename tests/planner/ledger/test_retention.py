"""What the planner removes by itself, and what it must not."""

import hashlib
import math
import os
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from agents.planner.ledger import retention
from agents.planner.ledger.retention import PICTURES_PER_STEP
from agents.planner.ledger.retention_loop import RemovedCounts, RetentionLoop
from agents.planner.ledger.tables import attempts, audit, batches, commands, jobs, prompt_pages
from agents.planner.planning.prompt_catalogue import CatalogueSelection
from agents.planner.scheduling.window import Window
from agents.shared.database.group_commit import GroupCommit
from agents.shared.settings import Settings
from bus.local_blobs import LocalBlobs
from protocol.commands import Amend, Cancel, GenerateImages, Requirements, Retry
from protocol.messages import Event, ImageStored, Job, Picture
from protocol.sources import InitImage
from tests.planner.workbench import NAME, World, halfway, new_batch

HOUR_S, DAY_S = 3600.0, 86_400.0


class Studio(World):
    """A world whose pictures have pixels of their own, and files unless they are told to stay in the blob store."""

    files = True

    def pictured(self, job: Job) -> Picture:
        return msgspec.structs.replace(super().pictured(job), blob=name_of(pixels(job.pixels.seed)))

    def say(self, event: Event) -> None:
        filed = isinstance(event, ImageStored) and self.files
        super().say(msgspec.structs.replace(event, path="/pictures/x.png") if filed else event)


@pytest.fixture
def world(engine: Engine) -> Studio:
    return Studio(engine=engine, dice=random.Random(1))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, retain_blobs_hours=1.0, retain_ledger_days=30.0)


def pixels(seed: int) -> bytes:
    return f"picture of seed {seed}".encode()


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def put_all(world: World, blobs: LocalBlobs) -> dict[tuple[int, int], str]:
    """The pixels of every attempt, as old as the world; their names by index and attempt."""
    names: dict[tuple[int, int], str] = {}
    for row in world.attempts():
        names[row["index"], row["attempt"]] = await put(blobs, pixels(row["seed"]))
    return names


async def put(blobs: LocalBlobs, data: bytes) -> str:
    name = await blobs.put(data)
    os.utime(blobs.path(name), (1.0, 1.0))
    return name


def lying(blobs: LocalBlobs) -> set[str]:
    return {path.name for path in blobs.folder.rglob("*") if path.is_file()}


@asynccontextmanager
async def upkeep(world: World, settings: Settings) -> AsyncGenerator[tuple[RetentionLoop, LocalBlobs]]:
    blobs = LocalBlobs(settings.blobs)
    async with GroupCommit(world.engine) as ledger:
        yield RetentionLoop(ledger, blobs, settings), blobs


async def test_pixels_of_ended_pictures_go_when_their_hours_are_over(world: Studio, settings: Settings) -> None:
    world.rejects = 0.5
    world.start(new_batch(8))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        names = await put_all(world, blobs)
        assert len(names) > 8
        assert await keeper.run_once(world.now + 0.9 * HOUR_S - 1000) == RemovedCounts()
        expected = RemovedCounts(
            blobs=len(names), blob_bytes=sum(blobs.path(name).stat().st_size for name in lying(blobs))
        )
        assert await keeper.run_once(world.now + 1.1 * HOUR_S, dry_run=True) == expected
        assert lying(blobs) == set(names.values())
        assert await keeper.run_once(world.now + 1.1 * HOUR_S) == expected
        assert lying(blobs) == set()
        assert await keeper.run_once(world.now + 1.2 * HOUR_S) == RemovedCounts()


async def test_a_picture_that_has_not_ended_keeps_the_pixels_of_all_its_attempts(
    world: Studio, settings: Settings
) -> None:
    world.rejects = 0.5
    world.start(new_batch(12))
    world.run(NAME, until=halfway)
    async with upkeep(world, settings) as (keeper, blobs):
        names = await put_all(world, blobs)
        unended = {row["index"] for row in world.rows() if row["stage"] != "done"}
        made = {(row["index"], row["attempt"]) for row in world.attempts() if row["evidence"]}
        needed = {name for (index, attempt), name in names.items() if index in unended or (index, attempt) not in made}
        assert len(needed) < len(names)
        await keeper.run_once(world.now + 2 * HOUR_S)
        assert lying(blobs) == needed
    assert world.run(NAME).tally.completed + world.load(NAME).tally.failed == 12


async def test_equal_pixels_of_an_ended_and_an_unended_picture_stay(world: Studio, settings: Settings) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    again = new_batch(1, name="gen_batch_2")
    world.start(again)
    while world.rows()[-1]["stage"] != "qa":
        world.step()
    async with upkeep(world, settings) as (keeper, blobs):
        (name,) = set((await put_all(world, blobs)).values())
        await keeper.run_once(world.now + 2 * HOUR_S)
        assert lying(blobs) == {name}


async def test_pixels_that_were_put_again_lately_stay(world: Studio, settings: Settings) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        (name,) = (await put_all(world, blobs)).values()
        os.utime(blobs.path(name), (world.now + 2 * HOUR_S, world.now + 2 * HOUR_S))
        assert await keeper.run_once(world.now + 2 * HOUR_S) == RemovedCounts()


async def test_whatever_an_unended_batch_names_stays(world: Studio, settings: Settings) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        (name,) = (await put_all(world, blobs)).values()
        open_batch = new_batch(1, name="gen_batch_2", state="held")
        order = GenerateImages(requirements=Requirements(quantity=1), metadata={"follows": name})
        open_batch.command = order
        world.start(open_batch)
        await keeper.run_once(world.now + 2 * HOUR_S)
        assert lying(blobs) == {name}


async def test_a_picture_that_others_were_made_from_stays_as_long_as_their_batch_is_remembered(
    world: Studio, settings: Settings
) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    first = name_of(pixels(world.attempts()[0]["seed"]))
    made_from = new_batch(1, name="gen_batch_2")
    made_from.seed = 999
    made_from.recipe = made_from.recipe.with_pixels(init_image=InitImage(blob=first, strength=0.5))
    world.start(made_from)
    world.run("gen_batch_2")
    async with upkeep(world, settings) as (keeper, blobs):
        for row in world.attempts():
            await put(blobs, pixels(row["seed"]))
        assert (await keeper.run_once(world.now + 2 * HOUR_S)).blobs == 2
        assert lying(blobs) == {first}
        await keeper.run_once(world.now + 40 * DAY_S)
        assert (await keeper.run_once(world.now + 42 * DAY_S)).blobs == 1


async def test_a_picture_that_has_no_file_is_its_blob_and_stays(world: Studio, settings: Settings) -> None:
    world.files = False
    world.start(new_batch(3))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        names = await put_all(world, blobs)
        assert await keeper.run_once(world.now + 2 * HOUR_S) == RemovedCounts()
        assert lying(blobs) == set(names.values())


async def test_a_picture_that_has_no_file_stays_though_one_with_the_same_pixels_was_filed_since(
    world: Studio, settings: Settings
) -> None:
    world.files = False
    world.start(new_batch(2))
    world.run(NAME)
    names = {pixels(row["seed"]) for row in world.attempts()}
    async with upkeep(world, settings) as (keeper, blobs):
        await keeper.run_once(world.now + 2 * HOUR_S)
        world.files, world.now = True, world.now + 3 * HOUR_S
        world.start(new_batch(2, name="gen_batch_2"))
        world.run("gen_batch_2")
        world.start(new_batch(4, name="gen_batch_3"))
        world.run("gen_batch_3")
        await put_all(world, blobs)
        assert (await keeper.run_once(world.now + 2 * HOUR_S)).blobs == 2
        assert lying(blobs) == {name_of(data) for data in names}


async def test_blobs_that_no_record_names_go_a_day_later_and_what_one_names_stays(
    world: Studio, settings: Settings
) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        unheard = await put(blobs, b"made again with other pixels")
        brought = await put(blobs, b"a reference picture")
        combo = await put(blobs, b"a reference of a combo")
        snapshot = await put(blobs, msgspec.json.encode({"combos": [{"references": [{"blob": combo}]}]}))
        named = new_batch(1, name="gen_batch_2", state="held")
        named.command = GenerateImages(requirements=Requirements(quantity=1), metadata={"follows": brought})
        shelf = CatalogueSelection(blob=snapshot, entries=[("ZH01", "a")])
        named.recipe = msgspec.structs.replace(named.recipe, catalogue=shelf)
        world.start(named)
        await keeper.run_once(world.now + 20 * HOUR_S)
        assert lying(blobs) == {unheard, brought, combo, snapshot}
        later = world.now + 2 * DAY_S
        for name in (unheard, brought, combo, snapshot):
            os.utime(blobs.path(name), (later - 25.1 * HOUR_S, later - 25.1 * HOUR_S))
        expected = RemovedCounts(blobs=1, blob_bytes=len(b"made again with other pixels"))
        assert await keeper.run_once(later, dry_run=True) == expected
        assert await keeper.run_once(later) == expected
        assert lying(blobs) == {brought, combo, snapshot}


@pytest.mark.parametrize("left", [None, b"{}"], ids=["gone", "damaged"])
async def test_while_a_catalogue_cannot_be_read_no_stray_goes_and_batches_are_forgotten_as_ever(
    world: Studio, settings: Settings, left: bytes | None
) -> None:
    world.start(new_batch(1))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        combo = await put(blobs, b"a reference of a combo")
        snapshot = await put(blobs, msgspec.json.encode({"combos": [{"references": [{"blob": combo}]}]}))
        named = new_batch(1, name="gen_batch_2", state="held")
        shelf = CatalogueSelection(blob=snapshot, entries=[("ZH01", "a")])
        named.recipe = msgspec.structs.replace(named.recipe, catalogue=shelf)
        world.start(named)
        blobs.path(snapshot).unlink()
        if left is not None:
            blobs.path(snapshot).write_bytes(left)
        assert (await keeper.run_once(world.now + 31 * DAY_S)).batches == 1
        assert combo in lying(blobs)


async def test_blobs_that_no_record_names_are_looked_for_once_a_day(world: Studio, settings: Settings) -> None:
    async with upkeep(world, settings) as (keeper, blobs):
        for day, removed in ((2.0, 1), (2.9, 0), (3.0, 1)):
            await put(blobs, b"a stray")
            assert (await keeper.run_once(world.now + day * DAY_S)).blobs == removed


async def test_where_pictures_lie_in_the_store_alone_all_stays_also_what_no_record_names(
    world: Studio, settings: Settings
) -> None:
    world.files = False
    world.start(new_batch(1))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        stray = await put(blobs, b"perhaps a picture whose batch is forgotten")
        assert await keeper.run_once(world.now + 9 * DAY_S) == RemovedCounts()
        assert lying(blobs) == {stray}


async def test_pictures_that_were_tried_again_after_a_round_have_theirs_removed_too(
    world: Studio, settings: Settings
) -> None:
    world.breaks = 1.0
    world.start(new_batch(3))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, blobs):
        await keeper.run_once(world.now + 2 * HOUR_S)
        world.now, world.breaks = world.now + 3 * HOUR_S, 0.0
        world.steer(Retry(hash=NAME))
        world.run(NAME)
        await put_all(world, blobs)
        assert (await keeper.run_once(world.now + 2 * HOUR_S)).blobs == 3


def test_where_too_much_is_open_it_is_not_said_what_is_needed(world: Studio) -> None:
    world.start(new_batch(12))
    world.run(NAME, until=halfway)
    assert world.transact(lambda connection: retention.needed_blobs(connection, most=1)) is None


async def test_a_batch_that_ended_long_ago_is_forgotten_and_its_money_and_audit_are_not(
    world: Studio, settings: Settings
) -> None:
    quantity = PICTURES_PER_STEP + 10
    world.start(new_batch(quantity), command_id="order")
    world.run(NAME)
    world.start(new_batch(1, name="gen_batch_2"))
    async with upkeep(world, settings) as (keeper, _):
        assert (await keeper.run_once(world.now + 29 * DAY_S)).batches == 0
        assert (await keeper.run_once(world.now + 31 * DAY_S, dry_run=True)).batches == 1
        assert len(world.rows(jobs)) >= quantity
        assert (await keeper.run_once(world.now + 31 * DAY_S)).batches == 1
    assert [row["hash"] for row in world.rows(batches)] == ["gen_batch_2"]
    for table in (jobs, attempts, prompt_pages, commands):
        assert [row for row in world.rows(table) if row["hash"] == NAME] == []
    of_batch = [row["what"] for row in world.rows(audit) if row["hash"] == NAME and row["index"] is None]
    assert of_batch == ["accepted", "completed", "forgotten"]


async def test_what_is_open_and_what_an_open_upgrade_is_made_from_is_remembered(
    world: Studio, settings: Settings
) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    child = new_batch(2, name="gen_batch_2")
    child.parent = NAME
    world.start(child)
    async with upkeep(world, settings) as (keeper, _):
        assert (await keeper.run_once(world.now + 60 * DAY_S)).batches == 0
        world.run("gen_batch_2")
        assert (await keeper.run_once(world.now + 60 * DAY_S)).batches == 2


def test_a_batch_that_is_made_again_since_it_was_found_to_be_of_long_ago_is_remembered(world: Studio) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    later = world.now + 31 * DAY_S
    assert world.transact(lambda connection: retention.forgettable_batches(connection, later, None))
    child = new_batch(2, name="gen_batch_2")
    child.parent = NAME
    world.start(child)
    assert not world.transact(lambda connection: retention.detach_client(connection, NAME, "local", later, later))


async def test_a_removal_that_was_cut_off_is_finished_by_the_next_round(world: Studio, settings: Settings) -> None:
    world.start(new_batch(2))
    world.run(NAME)
    later = world.now + 31 * DAY_S
    assert world.transact(lambda connection: retention.detach_client(connection, NAME, "local", math.inf, later))
    assert [row["client_id"] for row in world.rows(batches)] == [""]
    world.transact(lambda connection: connection.execute(sa.delete(attempts)))
    async with upkeep(world, settings) as (keeper, _):
        assert (await keeper.run_once(later)).batches == 1
    assert world.rows(batches) == []
    assert [row["what"] for row in world.rows(audit)].count("forgotten") == 1


async def test_a_batch_of_fewer_pictures_than_had_their_prompts_is_forgotten_like_any_other(
    world: Studio, settings: Settings
) -> None:
    world.window = Window(PICTURES_PER_STEP + 100)
    batch = new_batch(1000)
    batch.not_before = world.now + HOUR_S
    world.start(batch)
    world.rest()
    world.steer(Amend(hash=NAME, quantity=2))
    world.run(NAME)
    async with upkeep(world, settings) as (keeper, _):
        assert (await keeper.run_once(world.now + 31 * DAY_S)).batches == 1
    assert world.rows(prompt_pages) == []


async def test_a_cancelled_batch_is_forgotten_like_any_other(world: Studio, settings: Settings) -> None:
    world.start(new_batch(5))
    world.steer(Cancel(hash=NAME))
    async with upkeep(world, settings) as (keeper, _):
        assert (await keeper.run_once(world.now + 31 * DAY_S)).batches == 1
