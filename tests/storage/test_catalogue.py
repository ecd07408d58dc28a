"""The catalogue: made by migrations, one row per picture, accepted pictures stay."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from agents.shared.database.engine import open_engine
from agents.storage.catalogue import CatalogueRow, images, open_catalogue, row_of
from agents.storage.record import record_of
from tests.storage.making import store_image


def entry(index: int = 0, attempt: int = 1, disposition: str = "accepted", score: float | None = 0.87) -> CatalogueRow:
    message = store_image(index=index, attempt=attempt, disposition=disposition, score=score)
    return row_of(message, record_of(message, "teal"), Path(f"local/gen_batch_1/{index}_{attempt}.png"))


@pytest.fixture
def url(database: str) -> str:
    return database


async def test_migrations_make_from_nothing_exactly_the_table_that_the_code_uses(url: str) -> None:
    async with open_catalogue(url):
        pass
    engine = open_engine(url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), images.metadata)
        assert [change for change in differences if change[0] not in ("remove_index", "remove_table")] == []
    engine.dispose()


async def test_a_row_comes_back_as_it_was_put_also_after_a_restart(url: str) -> None:
    row = msgspec.structs.replace(entry(), embedding=b"\x00\x3c", signature=bytes(32))
    async with open_catalogue(url) as catalogue:
        assert await catalogue.add(row) == row
    async with open_catalogue(url) as catalogue:
        assert await catalogue.find("gen_batch_1", 0) == row


async def test_the_same_picture_again_gives_the_same_row(url: str) -> None:
    async with open_catalogue(url) as catalogue:
        for _ in range(3):
            assert await catalogue.add(entry()) == entry()
        assert await catalogue.count("local", "gen_batch_1") == 1


@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [
        pytest.param("accepted", "accepted", "first", id="a later attempt does not replace an accepted one"),
        pytest.param("accepted", "kept", "first", id="nor does a candidate"),
        pytest.param("kept", "kept", "first", id="one candidate is enough"),
        pytest.param("kept", "accepted", "second", id="an accepted picture replaces a candidate"),
    ],
)
async def test_which_of_two_attempts_stays(url: str, first: str, second: str, stays: str) -> None:
    one, two = entry(attempt=1, disposition=first), entry(attempt=2, disposition=second)
    async with open_catalogue(url) as catalogue:
        await catalogue.add(one)
        assert await catalogue.add(two) == (one if stays == "first" else two)
        assert await catalogue.count("local", "gen_batch_1") == 1


async def test_many_at_once_are_all_there_and_one_that_fails_harms_no_other(url: str) -> None:
    foreign = msgspec.structs.replace(entry(index=7), hash="gen_batch_2")
    async with asyncio.timeout(20), open_catalogue(url) as catalogue:
        results = await asyncio.gather(
            *(catalogue.add(entry(index=index)) for index in range(200)), catalogue.add(foreign), return_exceptions=True
        )
        assert isinstance(results[-1], IntegrityError)
        assert await catalogue.count("local", "gen_batch_1") == 200


async def test_the_rows_of_a_batch_come_in_order_and_bounded(url: str) -> None:
    async with open_catalogue(url) as catalogue:
        for index in (5, 1, 3):
            await catalogue.add(msgspec.structs.replace(entry(index=index), prompt=f"{9 - index} mugs"))
        rows = await catalogue.list_batch("local", "gen_batch_1", 2)
        assert [row.index for row in rows] == [1, 3]
        assert await catalogue.list_batch("another", "gen_batch_1", 2) == []
