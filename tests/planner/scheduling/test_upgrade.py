"""Pictures that are made again: the same seeds and prompts, linked to where they come from."""

import random

import msgspec
import pytest
from sqlalchemy import Engine

from agents.planner.ledger.batches import Batch
from agents.planner.ledger.records import decode_evidence
from agents.planner.ledger.states import BatchState
from agents.planner.requests.replies import batch_list_reply, result_reply
from agents.planner.scheduling import upgrade
from agents.planner.scheduling.hand_out import first_prompts
from agents.planner.scheduling.window import Window
from agents.planner.transitions import accept
from protocol.catalogue import Catalogued
from protocol.commands import Retry, Upgrade
from protocol.errors import BadCommand
from protocol.ids import image_id
from protocol.messages import Job
from protocol.parameters import Lora, Sweep
from protocol.pixels import PixelSpec
from protocol.sources import InitImage
from tests.planner.workbench import World, new_batch

PARENT = "gen_parent"
CHILD = "gen_child"


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine=engine, dice=random.Random(1), window=Window(32))


def upgrade_of(parent: Batch, wish: Upgrade, quantity: int) -> Batch:
    """The batch as the planner proposes it for the command."""
    child = new_batch(quantity, name=CHILD)
    child.command = upgrade.command_of(parent, wish, quantity)
    child.recipe = upgrade.recipe_of(parent.recipe.with_pixels(width=256, height=256))
    child.parent = parent.hash
    return child


def accepted(world: World, child: Batch, originals: list[Job] | None = None) -> None:
    world.follow(
        world.transact(lambda c: accept.accept(c, child, None, "payload", world.window, world.now, originals))[1]
    )


def made(world: World, name: str) -> dict[int, Job]:
    """The job of each picture that was made, by index."""
    rows = [row for row in world.attempts() if row["hash"] == name and row["evidence"]]
    return {row["index"]: decode_evidence(row["evidence"]).job for row in rows}


def test_an_upgrade_starts_from_the_pixels_that_are_there_now_placed_as_before() -> None:
    parent = new_batch(1, name=PARENT)
    before = InitImage(blob="a" * 64, strength=0.5, mask="b" * 64, box=[8, 8, 64, 64])
    original = Job(
        pixels=PixelSpec(
            prompt="a mug",
            seed=1,
            width=128,
            height=128,
            steps=4,
            guidance=3.0,
            sampler="DDIM",
            model="pocket",
            init_image=before,
        ),
        hash=PARENT,
        client_id="local",
        index=0,
        attempt=1,
        image_id=image_id(PARENT, 0),
        platform="pocket",
    )
    child = upgrade_of(parent, Upgrade(hash=PARENT, resolution="256x256"), 1)
    found = InitImage(blob="c" * 64, strength=0.5, mask="d" * 64)
    child.recipe = child.recipe.with_pixels(init_image=found)
    again = upgrade.upgrade_job(child, original, 0, 1).pixels.init_image
    assert again == InitImage(blob="c" * 64, strength=0.5, mask="d" * 64, box=[16, 16, 128, 128])


def finished_parent(world: World, quantity: int) -> Batch:
    world.start(new_batch(quantity, name=PARENT))
    return world.run(PARENT)


def test_pictures_of_several_sizes_are_made_again_in_a_size_that_is_named() -> None:
    parent = new_batch(2, name=PARENT)
    swept = Sweep(values={"resolution": ["128x128", "192x128"]})
    parent.command = msgspec.structs.replace(parent.command, sweep=swept)
    with pytest.raises(BadCommand) as refused:
        upgrade.command_of(parent, Upgrade(hash=PARENT, render_quality="hd"), 2)
    assert refused.value.body.path == "$.resolution"
    named = upgrade.command_of(parent, Upgrade(hash=PARENT, render_quality="hd", resolution="256x256"), 2)
    assert named.requirements.resolution == "256x256"


def test_every_finished_picture_is_made_again_with_its_seed_and_prompt(world: World) -> None:
    parent = finished_parent(world, 104)
    accepted(world, upgrade_of(parent, Upgrade(hash=PARENT, resolution="256x256"), 104))
    assert world.run(CHILD).tally.completed == 104
    before, after = made(world, PARENT), made(world, CHILD)
    for index in range(104):
        assert (after[index].pixels.seed, after[index].pixels.prompt) == (
            before[index].pixels.seed,
            before[index].pixels.prompt,
        )
        assert (after[index].pixels.width, after[index].pixels.height) == (256, 256)
        assert after[index].parent == image_id(PARENT, index)
        assert after[index].image_id == image_id(CHILD, index)


def test_what_failed_has_nothing_to_upgrade_and_attempts_that_were_accepted_count(world: World) -> None:
    world.rejects = 0.6
    world.start(new_batch(20, name=PARENT, max_attempts=2))
    parent = world.run(PARENT, until=lambda batch: batch.state == "completed")
    world.rejects = 0.0
    assert 0 < parent.tally.completed < 20
    accepted(world, upgrade_of(parent, Upgrade(hash=PARENT, resolution="256x256"), parent.tally.completed))
    child = world.run(CHILD)
    finished = [row for row in world.rows() if row["hash"] == PARENT and row["state"] == "completed"]
    assert child.tally.completed == len(finished)
    accepted_seeds = {row["seed"] for row in world.attempts() if row["hash"] == PARENT and row["state"] == "accepted"}
    assert {job.pixels.seed for job in made(world, CHILD).values()} == accepted_seeds


def test_named_pictures_are_made_again_with_more_steps(world: World) -> None:
    parent = finished_parent(world, 6)
    originals = world.transact(lambda c: upgrade.completed_jobs_at(c, PARENT, [4, 1]))
    accepted(world, upgrade_of(parent, Upgrade(hash=PARENT, render_quality="hd"), 2), originals)
    world.run(CHILD)
    assert [job.parent for job in made(world, CHILD).values()] == [image_id(PARENT, 1), image_id(PARENT, 4)]
    assert {job.pixels.steps for job in made(world, CHILD).values()} == {40}


def test_a_picture_that_another_model_stood_in_for_is_made_as_the_plan_of_its_own_says(world: World) -> None:
    parent = finished_parent(world, 1)
    (original,) = world.transact(lambda c: upgrade.completed_jobs_at(c, PARENT, [0]))
    swept = msgspec.structs.replace(
        original.with_pixels(loras=[], guidance=2.0),
        stand_in_for="sdxl",
        swept={"guidance": 2.0, "lora:gold": 0.3},
    )
    child = upgrade_of(parent, Upgrade(hash=PARENT, render_quality="hd"), 1)
    loras = [Lora(name="gold", weight=1.0), Lora(name="ink", weight=0.8)]
    child.recipe = msgspec.structs.replace(
        child.recipe.with_pixels(model="base_sdxl", loras=loras, sampler="DPM++ 2M Karras", steps=60),
        models=["base_sdxl"],
    )
    made_again = upgrade.upgrade_job(child, swept, 0, 1)
    assert (made_again.pixels.model, made_again.models, made_again.stand_in_for) == ("base_sdxl", ["base_sdxl"], None)
    assert (made_again.pixels.sampler, made_again.pixels.steps, made_again.pixels.guidance) == (
        "DPM++ 2M Karras",
        60,
        2.0,
    )
    assert [(lora.name, lora.weight) for lora in made_again.pixels.loras] == [("gold", 0.3), ("ink", 0.8)]


def test_an_upgrade_that_would_make_the_same_pictures_again_changes_nothing(world: World) -> None:
    parent = finished_parent(world, 3)

    def changes(wish: Upgrade, width: int) -> bool:
        order = upgrade.command_of(parent, wish, 3)
        recipe = upgrade.recipe_of(parent.recipe.with_pixels(width=width, height=width))
        return world.transact(lambda c: upgrade.changes_anything(c, PARENT, recipe, order))

    assert not changes(Upgrade(hash=PARENT, resolution="4K"), 128)
    assert not changes(Upgrade(hash=PARENT, render_quality="standard"), 128)
    assert changes(Upgrade(hash=PARENT, resolution="4K"), 256)
    assert changes(Upgrade(hash=PARENT, render_quality="hd"), 128)


def test_a_file_of_an_upgrade_says_the_size_of_its_picture(world: World) -> None:
    parent = finished_parent(world, 1)
    (original,) = world.transact(lambda c: upgrade.completed_jobs_at(c, PARENT, [0]))
    original = msgspec.structs.replace(
        original, catalogued=Catalogued(catalogue="v3.2", prompt_id="ZH01", quality="128x128")
    )
    for wish, name in (("4K", "256x256"), ("256x256", "256x256"), (None, "256x256")):
        child = upgrade_of(parent, Upgrade(hash=PARENT, resolution=wish, render_quality="hd"), 1)
        place = upgrade.upgrade_job(child, original, 0, 1).catalogued
        assert place is not None
        assert place.quality == name


def test_results_and_lists_link_an_upgrade_to_its_parent(world: World) -> None:
    parent = finished_parent(world, 2)
    accepted(world, upgrade_of(parent, Upgrade(hash=PARENT, resolution="256x256"), 2))
    child = world.run(CHILD)
    result = world.transact(lambda c: result_reply(c, child, 0, 10)).generation_result
    assert (result.parent, [image.parent for image in result.images]) == (
        PARENT,
        [image_id(PARENT, 0), image_id(PARENT, 1)],
    )
    listed = world.transact(lambda c: batch_list_reply(c, "local", 0, 10)).batch_list.batches
    assert {batch.hash: batch.parent for batch in listed} == {CHILD: PARENT, PARENT: None}


def test_a_held_upgrade_shows_its_prompts_and_makes_nothing(world: World) -> None:
    parent = finished_parent(world, 3)
    child = upgrade_of(parent, Upgrade(hash=PARENT, resolution="256x256"), 3)
    child.state = BatchState.HELD
    before = world.generated
    accepted(world, child)
    world.rest()
    assert world.generated == before
    shown = world.transact(lambda c: first_prompts(c, child))
    assert shown == ["picture 0", "picture 1", "picture 2"]


def test_an_upgrade_that_fails_is_tried_again_with_the_same_seed(world: World) -> None:
    parent = finished_parent(world, 2)
    world.breaks = 2.0
    accepted(world, upgrade_of(parent, Upgrade(hash=PARENT, resolution="256x256"), 2))
    assert world.run(CHILD, until=lambda batch: batch.state == "completed").tally.failed == 2
    world.breaks = 0.0
    world.steer(Retry(hash=CHILD))
    assert world.run(CHILD).tally.completed == 2
    assert {job.pixels.seed for job in made(world, CHILD).values()} == {
        job.pixels.seed for job in made(world, PARENT).values()
    }
