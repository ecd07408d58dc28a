"""Who had which pixels made is known at once, written soon, and found again after a death."""

import pytest
from sqlalchemy import Engine

from agents.planner.ledger.blob_owners import Place, ended_owners
from agents.planner.ledger.made_pixels import MadePixels
from agents.planner.ledger.records import decode_evidence
from agents.planner.ledger.tables import jobs
from agents.shared.database.group_commit import GroupCommit
from tests.planner.ledger.test_retention import Studio
from tests.planner.ledger.test_retention import world as world
from tests.planner.workbench import NAME, new_batch

QUANTITY = 5


@pytest.fixture
def made(world: Studio) -> list[str]:
    """The blobs of the pictures of a batch that ended, some of them after a second attempt."""
    world.rejects = 0.3
    world.start(new_batch(QUANTITY))
    world.run(NAME)
    last = {(row["index"], row["attempt"]) for row in world.rows(jobs)}
    return [
        decode_evidence(row["evidence"]).picture.blob
        for row in world.attempts()
        if (row["index"], row["attempt"]) in last
    ]


async def test_what_was_made_is_its_clients_before_it_is_written_and_after(engine: Engine) -> None:
    async with GroupCommit(engine) as ledger:
        known = MadePixels(ledger)
        known.note("acme", ["a" * 64])
        assert await known.is_owner("acme", "a" * 64)
        assert not await known.is_owner("other", "a" * 64)
        assert not await MadePixels(ledger).is_owner("acme", "a" * 64)
        await known.write()
        assert await MadePixels(ledger).is_owner("acme", "a" * 64)


async def test_what_a_planner_that_died_did_not_write_is_found_again(engine: Engine, made: list[str]) -> None:
    async with GroupCommit(engine) as ledger:
        known = MadePixels(ledger)
        assert not await known.is_owner("local", made[0])
        await known.recover()
        assert [await known.is_owner("local", blob) for blob in made] == [True] * QUANTITY
        assert not await known.is_owner("other", made[0])


def test_they_are_found_page_by_page(engine: Engine, made: list[str]) -> None:
    found: list[str] = []
    place: Place | None = (0.0, "", -1)
    with engine.connect() as connection:
        while place is not None:
            page, place = ended_owners(connection, place, count=2)
            assert len(page) <= 2
            found += [blob for _, blob in page]
    assert sorted(found) == sorted(made)
