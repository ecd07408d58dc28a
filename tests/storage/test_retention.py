"""Pictures whose days are over, and those that stay."""

import math
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from agents.shared.settings import Settings
from agents.storage.atomic_files import AtomicFiles
from agents.storage.catalogue import Catalogue, open_catalogue
from agents.storage.contact_sheet import SHEET_NAME
from agents.storage.retention import PAGE_SIZE, RemovedPictures, Retention
from bus.agent import Caller
from bus.local_blobs import LocalBlobs
from bus.service import respond
from protocol import codec, subjects
from protocol.messages import ImageStored, MakeContactSheet, StoreImage
from protocol.pixels import pixel_digest
from protocol.reuse import FindStored, StoredPictures
from tests.storage.making import DELIVERY, Silent, png, storage_with, store_image

ORDERED = "2026-11-20T23:59:58+00:00"
DAY_S = 86_400.0
THEN = datetime.fromisoformat(ORDERED).timestamp()


async def filed(home: Path, *messages: StoreImage, **settings: bool) -> list[Path]:
    """File pictures as storage does, and draw their sheet; the pictures' files, as old as their order."""
    agent = await storage_with(home, png(), **settings)
    paths: list[Path] = []
    async with agent.running(Silent()):
        for message in messages:
            [stored] = await agent.handle(message, DELIVERY)
            assert isinstance(stored, ImageStored)
            paths += [Path(stored.path)] if stored.path else []
        if paths:
            await agent.handle(MakeContactSheet(hash="gen_batch_1", client_id="local"), DELIVERY)
    for path in (home / "pictures").rglob("*.*"):
        os.utime(path, (THEN, THEN))
    return paths


@asynccontextmanager
async def retention(home: Path, days: float = 30.0) -> AsyncGenerator[tuple[Retention, Catalogue]]:
    settings = Settings(home=home)
    async with open_catalogue(settings.catalogue_url) as catalogue:
        yield Retention(catalogue, AtomicFiles(settings.pictures), LocalBlobs(settings.blobs), days), catalogue


async def test_a_picture_goes_with_its_sidecar_row_sheet_and_empty_folders_when_its_days_are_over(
    tmp_path: Path,
) -> None:
    (path,) = await filed(tmp_path, store_image(data=png()))
    size = path.stat().st_size + path.with_suffix(".json").stat().st_size
    async with retention(tmp_path) as (removing, catalogue):
        assert await removing.run_once(THEN + 29 * DAY_S) == RemovedPictures()
        assert await removing.run_once(THEN + 31 * DAY_S, dry_run=True) == RemovedPictures(
            pictures=1, picture_bytes=size
        )
        assert path.is_file()
        assert await removing.run_once(THEN + 31 * DAY_S) == RemovedPictures(pictures=1, picture_bytes=size)
        assert await catalogue.count("local", "gen_batch_1") == 0
    assert [found.name for found in (tmp_path / "pictures").iterdir()] == [".partial"]


async def test_pictures_behind_a_link_keep_their_rows_and_files_when_their_days_are_over(tmp_path: Path) -> None:
    (path,) = await filed(tmp_path, store_image(data=png()))
    (tmp_path / "pictures" / "local").rename(tmp_path / "moved")
    (tmp_path / "pictures" / "local").symlink_to(tmp_path / "moved")
    async with retention(tmp_path) as (removing, catalogue):
        assert await removing.run_once(THEN + 31 * DAY_S) == RemovedPictures()
        assert await catalogue.count("local", "gen_batch_1") == 1
    assert path.is_file()


async def test_pictures_are_removed_in_steps_and_those_that_stay_keep_their_sheet(tmp_path: Path) -> None:
    late = "2027-03-01T00:00:00+00:00"
    old = [store_image(data=png(), index=index) for index in range(PAGE_SIZE + 1)]
    await filed(tmp_path, *old, store_image(data=png(), index=PAGE_SIZE + 1, created_at=late))
    async with retention(tmp_path) as (removing, catalogue):
        assert (await removing.run_once(THEN + 31 * DAY_S)).pictures == PAGE_SIZE + 1
        assert [entry.created_at for entry in await catalogue.list_batch("local", "gen_batch_1", 10)] == [late]
    folder = tmp_path / "pictures" / "local" / "gen_batch_1"
    assert sorted(path.suffix for path in folder.iterdir()) == [".html", ".json", ".png", ".png"]
    assert (folder / SHEET_NAME).is_file()


async def test_a_picture_of_an_old_order_that_was_filed_lately_stays(tmp_path: Path) -> None:
    (path,) = await filed(tmp_path, store_image(data=png()))
    os.utime(path, (THEN + 20 * DAY_S, THEN + 20 * DAY_S))
    async with retention(tmp_path) as (removing, _):
        assert await removing.run_once(THEN + 31 * DAY_S) == RemovedPictures()
    assert path.is_file()


async def test_a_picture_without_a_file_of_an_old_order_that_was_made_lately_stays(tmp_path: Path) -> None:
    message = store_image(data=png())
    await filed(tmp_path, message, storage_files=False)
    blob = LocalBlobs(Settings(home=tmp_path).blobs).path(message.picture.blob)
    os.utime(blob, (THEN + 20 * DAY_S, THEN + 20 * DAY_S))
    async with retention(tmp_path) as (removing, catalogue):
        assert await removing.run_once(THEN + 31 * DAY_S) == RemovedPictures()
        assert await catalogue.count("local", "gen_batch_1") == 1
        blob.unlink()
        assert (await removing.run_once(THEN + 31 * DAY_S)).pictures == 1


async def test_a_removal_that_was_cut_off_before_the_row_is_done_again(tmp_path: Path) -> None:
    (path,) = await filed(tmp_path, store_image(data=png()))
    path.unlink()
    async with retention(tmp_path) as (removing, catalogue):
        assert (await removing.run_once(THEN + 31 * DAY_S)).pictures == 1
        assert await catalogue.count("local", "gen_batch_1") == 0


async def test_a_picture_whose_blob_was_released_is_found_again_and_its_pixels_are_back(tmp_path: Path) -> None:
    message = store_image(data=png())
    (path,) = await filed(tmp_path, message)
    blobs = LocalBlobs(Settings(home=tmp_path).blobs)
    await blobs.remove_idle(message.picture.blob, math.inf)
    assert await found(tmp_path, message) == [message.picture.blob]
    assert await blobs.get(message.picture.blob) == png()
    await blobs.remove_idle(message.picture.blob, math.inf)
    path.write_bytes(png((1, 2, 3)))
    assert await found(tmp_path, message) == []


async def found(home: Path, message: StoreImage) -> list[str]:
    """The blobs of what storage has of this picture."""
    agent = await storage_with(home)
    assert message.picture.model_version is not None
    digest = pixel_digest(message.job.pixels, message.picture.model_version)
    async with agent.running(Silent()):
        data, headers = codec.pack(FindStored(client_id="local", digests=[digest]))
        [endpoint] = agent.endpoints()
        answer = await respond(endpoint, data, Caller(subjects.STORED, headers))
    stored = codec.decode_reuse(codec.unpack(*answer))
    assert isinstance(stored, StoredPictures)
    return [one.picture.blob for one in stored.found]


async def test_a_blob_that_is_the_picture_goes_with_it_unless_a_younger_picture_has_the_same(tmp_path: Path) -> None:
    data = png()
    message = store_image(data=data)
    late = store_image(data=data, index=1, created_at="2026-12-24T00:00:00+00:00")
    await filed(tmp_path, message, late, storage_files=False)
    blobs = LocalBlobs(Settings(home=tmp_path).blobs)
    os.utime(blobs.path(message.picture.blob), (THEN, THEN))
    async with retention(tmp_path) as (removing, _):
        assert (await removing.run_once(THEN + 31 * DAY_S)).pictures == 1
        assert await blobs.has(message.picture.blob)
        assert (await removing.run_once(THEN + 90 * DAY_S)).pictures == 1
        assert not await blobs.has(message.picture.blob)
