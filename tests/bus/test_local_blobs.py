"""The contract of blobs, on the local implementation."""

import asyncio
import fcntl
import hashlib
import math
import os
from pathlib import Path

import pytest

from bus.blobs import BlobMissing, Blobs
from bus.local_blobs import PARTIAL_FOLDER, LocalBlobs

DATA = b"pixels" * 1000
NAME = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_is_put_comes_back_under_its_hash(blobs: Blobs) -> None:
    assert await blobs.put(DATA) == NAME
    assert await blobs.has(NAME)
    assert await blobs.get(NAME) == DATA


async def test_the_same_bytes_put_by_many_at_once_are_one_blob(blobs: Blobs, tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        names = await asyncio.gather(*(blobs.put(DATA) for _ in range(32)))
    assert set(names) == {NAME}
    assert files(tmp_path) == [tmp_path / "blobs" / NAME[:2] / NAME]


async def test_an_absent_blob_is_missing_and_releasing_it_is_fine(blobs: Blobs) -> None:
    assert not await blobs.has(NAME)
    with pytest.raises(BlobMissing):
        await blobs.get(NAME)
    assert await blobs.remove_idle(NAME, math.inf) == 0
    await blobs.put(DATA)
    assert await blobs.remove_idle(NAME, math.inf) == len(DATA)
    assert not await blobs.has(NAME)


async def test_a_blob_is_idle_from_when_it_was_put_last(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(DATA)
    (path,) = files(tmp_path)
    os.utime(path, (1000.0, 1000.0))
    assert (await blobs.idle_bytes(NAME, 1000.0), await blobs.idle_bytes(NAME, 1001.0)) == (0, len(DATA))
    await blobs.put(DATA)
    assert await blobs.remove_idle(NAME, 1001.0) == 0
    assert await blobs.get(NAME) == DATA


async def test_a_touched_blob_is_as_young_as_one_that_was_put_again(blobs: Blobs, tmp_path: Path) -> None:
    assert not await blobs.touch(NAME)
    await blobs.put(DATA)
    (path,) = files(tmp_path)
    os.utime(path, (1000.0, 1000.0))
    assert await blobs.touch(NAME)
    assert await blobs.remove_idle(NAME, 1001.0) == 0
    assert await blobs.get(NAME) == DATA


async def test_a_blob_that_is_touched_while_it_is_released_is_there_if_the_touch_says_so(
    blobs: Blobs, tmp_path: Path
) -> None:
    async with asyncio.timeout(30):
        for _ in range(200):
            await blobs.put(DATA)
            (path,) = files(tmp_path)
            os.utime(path, (1000.0, 1000.0))
            touched, _ = await asyncio.gather(blobs.touch(NAME), blobs.remove_idle(NAME, 1001.0))
            assert not touched or await blobs.has(NAME)


async def test_bytes_that_are_put_while_their_blob_is_released_are_there_after_it(blobs: Blobs, tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        for _ in range(200):
            await blobs.put(DATA)
            (path,) = files(tmp_path)
            os.utime(path, (1000.0, 1000.0))
            await asyncio.gather(blobs.put(DATA), blobs.remove_idle(NAME, 1001.0))
            assert await blobs.get(NAME) == DATA
    assert len(files(tmp_path)) == 1


async def test_a_blob_above_the_limit_is_not_read(blobs: Blobs) -> None:
    await blobs.put(DATA)
    assert await blobs.get(NAME, limit=len(DATA)) == DATA
    with pytest.raises(BlobMissing, match="larger than"):
        await blobs.get(NAME, limit=len(DATA) - 1)


async def test_a_damaged_blob_is_missing_until_it_is_put_again(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put(DATA)
    (path,) = files(tmp_path)
    path.write_bytes(DATA[:-1] + b"!")
    with pytest.raises(BlobMissing, match="damaged"):
        await blobs.get(NAME)
    await blobs.put(DATA)
    assert await blobs.get(NAME) == DATA


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 65, f"{'a' * 64}\n"])
async def test_a_name_that_is_no_hash_leads_nowhere(blobs: Blobs, name: str) -> None:
    with pytest.raises(BlobMissing):
        await blobs.get(name)
    with pytest.raises(BlobMissing):
        await blobs.remove_idle(name, math.inf)


async def test_partial_blobs_of_dead_writers_are_swept_and_those_of_living_ones_left(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    await LocalBlobs(folder).put(DATA)
    (blob,) = files(folder)
    dead, living = folder / PARTIAL_FOLDER / "dead", folder / PARTIAL_FOLDER / "living"
    for path in (dead, living):
        path.write_bytes(b"part")
    with living.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        LocalBlobs(folder)
        assert set(files(folder)) == {blob, living}


async def test_stale_blobs_are_those_that_nobody_put_since(blobs: LocalBlobs) -> None:
    names = {await blobs.put(f"picture {number}".encode()): number for number in range(20)}
    for name, number in names.items():
        os.utime(blobs.path(name), (number, number))
    stale = [name async for page in blobs.list_idle(7.0) for name in page]
    assert sorted(names[name] for name in stale) == list(range(7))


async def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    folder = tmp_path / "blobs" / NAME[:2] / NAME
    folder.mkdir(parents=True)  # a folder sits where the blob should go
    with pytest.raises(OSError, match="directory"):
        await blobs.put(DATA)
    assert files(tmp_path) == []
