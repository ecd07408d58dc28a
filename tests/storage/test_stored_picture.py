"""Which pictures are there already: asked by the planner, answered for one client, about what can still be read."""

import asyncio
import math
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from agents.shared.database.engine import open_engine, version_table
from agents.shared.settings import Settings
from agents.storage.agent import Storage
from agents.storage.catalogue import MIGRATIONS, open_catalogue, row_of
from agents.storage.filing import read_record
from agents.storage.record import record_of
from bus.agent import Caller
from bus.local_blobs import LocalBlobs
from bus.service import respond
from protocol import codec, subjects
from protocol.errors import BadMessage
from protocol.messages import ImageStored, StoreImage
from protocol.pixels import pixel_digest
from protocol.reuse import MAX_SOUGHT, FindStored, StoredPicture, StoredPictures
from tests.storage.making import DELIVERY, Silent, png, storage_with, store_image

TEAL = png()


def found_by(message: StoreImage) -> str:
    return pixel_digest(message.job.pixels, message.picture.model_version or "")


async def asked(agent: Storage, *digests: str, client: str = "local") -> list[StoredPicture]:
    """What storage says is there."""
    payload, headers = codec.pack(FindStored(client_id=client, digests=list(digests)))
    [endpoint] = agent.endpoints()
    data, answered = await respond(endpoint, payload, Caller(subjects.STORED, headers))
    reply = codec.decode_reuse(codec.unpack(data, answered))
    assert isinstance(reply, StoredPictures)
    return reply.found


async def filed(agent: Storage, message: StoreImage) -> ImageStored:
    [stored] = await agent.handle(message, DELIVERY)
    assert isinstance(stored, ImageStored)
    return stored


@asynccontextmanager
async def storing(home: Path, **settings: str) -> AsyncGenerator[Storage]:
    agent = await storage_with(home, TEAL, **settings)
    async with asyncio.timeout(20), agent.running(Silent()):
        yield agent


@pytest.mark.parametrize("files", ["true", "false"])
async def test_a_stored_picture_is_told_with_all_that_filing_it_again_needs(tmp_path: Path, files: str) -> None:
    message = store_image(data=TEAL)
    assessment = msgspec.structs.replace(message.assessment, not_judged=["paris"])
    message = msgspec.structs.replace(message, assessment=assessment)
    async with storing(tmp_path, storage_files=files) as agent:
        await filed(agent, message)
        [found] = await asked(agent, found_by(message), "0" * 64)
    assert (found.digest, found.image_id) == (found_by(message), message.job.image_id)
    assert found.picture == message.picture
    assert found.assessment == message.assessment


async def test_a_reused_picture_has_a_file_and_a_record_of_its_own_which_name_the_first(tmp_path: Path) -> None:
    first = store_image(data=TEAL)
    async with storing(tmp_path, name_template="{hash}_{seed}") as agent:
        one = await filed(agent, first)
        [found] = await asked(agent, found_by(first))
        job = msgspec.structs.replace(first.job, hash="gen_batch_2", image_id="gen_batch_2_000000")
        again = StoreImage(job=job, picture=found.picture, assessment=found.assessment, reused=found.image_id)
        two = await filed(agent, again)
        [chained] = await asked(agent, found_by(first))
    assert (Path(one.path or "").name, Path(two.path or "").name) == ("gen_batch_1_1000.png", "gen_batch_2_1000.png")
    record = read_record(Path(two.path or "").read_bytes())
    assert (record.image_id, record.reused) == ("gen_batch_2_000000", "gen_batch_1_000000")
    assert read_record(Path(one.path or "").read_bytes()).reused is None
    assert chained.image_id == "gen_batch_1_000000"


@pytest.mark.parametrize("files", ["true", "false"])
async def test_what_was_told_to_be_there_stays_as_long_as_if_it_were_put_anew(tmp_path: Path, files: str) -> None:
    message = store_image(data=TEAL)
    blobs = LocalBlobs(Settings(home=tmp_path).blobs)
    async with storing(tmp_path, storage_files=files) as agent:
        await filed(agent, message)
        os.utime(blobs.path(message.picture.blob), (1000.0, 1000.0))
        assert len(await asked(agent, found_by(message))) == 1
    assert await blobs.remove_idle(message.picture.blob, 1001.0) == 0


async def test_a_client_is_told_of_its_own_pictures_alone(tmp_path: Path) -> None:
    message = store_image(data=TEAL)
    async with storing(tmp_path) as agent:
        await filed(agent, message)
        assert await asked(agent, found_by(message), client="rival") == []


async def test_what_somebody_removed_is_not_there(tmp_path: Path) -> None:
    one, two = store_image(data=TEAL), store_image(data=png((208, 32, 38)), index=1)
    blobs = LocalBlobs(Settings(home=tmp_path).blobs)
    await blobs.put(png((208, 32, 38)))
    async with storing(tmp_path) as agent:
        Path((await filed(agent, one)).path or "").unlink()
        Path((await filed(agent, two)).path or "").unlink()
        await blobs.remove_idle(two.picture.blob, math.inf)
        assert await asked(agent, found_by(one), found_by(two)) == []


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(store_image(data=TEAL, disposition="kept"), id="a candidate below the bar"),
        pytest.param(
            msgspec.structs.replace(
                store_image(data=TEAL),
                picture=msgspec.structs.replace(store_image(data=TEAL).picture, model_version=None),
            ),
            id="weights that nobody knows",
        ),
    ],
)
async def test_some_pictures_are_never_taken_for_others(tmp_path: Path, message: StoreImage) -> None:
    async with storing(tmp_path) as agent:
        await filed(agent, message)
        assert await asked(agent, found_by(message)) == []


async def test_of_many_that_are_the_same_the_newest_is_told(database: str) -> None:
    made = [
        store_image(index=index, seed=7, image_id=f"gen_batch_1_{index:06d}", created_at=f"2026-11-2{index}T00:00:00Z")
        for index in (1, 3, 2)
    ]
    async with open_catalogue(database) as catalogue:
        for message in made:
            await catalogue.add(row_of(message, record_of(message, None), Path(f"{message.job.index}.png")))
        [entry] = await catalogue.find_by_digest("local", [found_by(made[0])])
    assert entry.index == 3


async def test_pictures_of_before_there_were_digests_stay_and_are_not_found(database: str) -> None:
    message = store_image()
    engine = open_engine(database)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    old = msgspec.structs.asdict(row_of(message, record_of(message, None), Path("0.png")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        config.attributes["version_table"] = version_table(engine, MIGRATIONS)
        command.upgrade(config, "0002")
        columns = [column["name"] for column in sa.inspect(connection).get_columns("images")]
        table = sa.Table("images", sa.MetaData(), autoload_with=connection)
        connection.execute(table.insert(), {name: old[name] for name in columns})
    engine.dispose()
    async with open_catalogue(database) as catalogue:
        kept = await catalogue.find("gen_batch_1", 0)
        assert kept is not None
        assert kept.digest is None
        assert await catalogue.find_by_digest("local", [found_by(message)]) == []


async def test_more_than_a_page_at_once_is_refused(tmp_path: Path) -> None:
    async with storing(tmp_path) as agent:
        with pytest.raises(BadMessage):
            await asked(agent, *("0" * 64 for _ in range(MAX_SOUGHT + 1)))
