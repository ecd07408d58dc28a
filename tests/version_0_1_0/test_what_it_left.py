"""A ledger, a catalogue and a picture of version 0.1.0 are opened, and what was begun then goes on."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from agents.doors.cli.rerun.run import job_of
from agents.planner.ledger.records import decode_evidence
from agents.planner.requests.replies import result_reply
from agents.planner.scheduling.rebuild_window import rebuild_window
from agents.planner.scheduling.window import Window
from agents.shared.database.engine import open_engine
from agents.storage.catalogue import images, open_catalogue
from agents.storage.filing import read_record
from agents.storage.record import record_of_fields, sidecar_of
from protocol.pixels import pixel_digest
from tests.doors.cli.conftest import Home, home
from tests.planner.workbench import World, new_engine
from tests.version_0_1_0.dumps import FOLDER, restored

__all__ = ["home"]

PICTURE = FOLDER / "picture.png"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Everything around a ledger that a planner of version 0.1.0 left in the middle of its work."""
    world = World(engine=new_engine(restored("ledger", tmp_path)), dice=random.Random(1), window=Window(6), now=1000.0)
    world.follow(world.transact(lambda connection: rebuild_window(connection, world.window, world.now)))
    yield world
    world.engine.dispose()


@pytest.mark.parametrize(("batch", "quantity"), [("gen_running", 5), ("gen_child", 3)])
def test_batches_that_were_begun_go_on_to_their_end(world: World, batch: str, quantity: int) -> None:
    assert 0 < world.load(batch).tally.completed < quantity
    assert world.run(batch).tally.completed == quantity


def test_regions_and_strictness_that_stood_in_the_command_alone_are_in_every_job(world: World) -> None:
    world.run("gen_running")
    made = [decode_evidence(row["evidence"]).job for row in world.attempts() if row["hash"] == "gen_running"]
    assert len(made) == 5
    assert all(job.pixels.strict and job.pixels.regions[0].prompt == "a blue star" for job in made)


def test_results_of_then_are_told_as_before(world: World) -> None:
    parent = world.load("gen_parent")
    told = world.transact(lambda connection: result_reply(connection, parent, 0, 10))
    assert [image.metadata and image.metadata.seed for image in told.generation_result.images] == [42, 43, 44]


async def test_pictures_of_then_are_found_by_what_decides_their_pixels(tmp_path: Path) -> None:
    url = restored("catalogue", tmp_path)
    async with open_catalogue(url):
        pass
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(images)).all()
    engine.dispose()
    assert len(rows) == 3
    for row in rows:
        # A job does not say beforehand which sizes its model calls will have.
        before = replace(record_of_fields(row.record).pixels, buckets=None)
        assert row.digest == pixel_digest(before, row.model_version)


def test_a_picture_of_then_says_how_it_was_made() -> None:
    record = read_record(PICTURE.read_bytes())
    assert record.pixels.prompt == "a red mug on a white background"
    assert (record.pixels.seed, record.pixels.width, record.pixels.height, record.index) == (7, 128, 128, 0)
    assert record.pixels.buckets is not None
    assert record_of_fields(json.loads(sidecar_of(record))) == record
    assert job_of(record).pixels == record.pixels


def test_a_picture_of_then_is_made_again_from_its_file(home: Home) -> None:
    done = home.run("rerun", str(PICTURE), "--json", BOTTEGA_DEVICE="cpu")
    answer = json.loads(done.stdout)
    assert answer["largest"] <= 16, "on another processor the last bits differ"
    assert answer["verdict"] != "drifted" or answer["reasons"]
