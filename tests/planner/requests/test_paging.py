"""A page is cut where it would not fit into a reply, and says where to go on."""

# pyright: basic

import msgspec
import pytest

from agents.planner.requests.paging import MAX_PAGE_BYTES, fit_page
from agents.planner.requests.replies import batch_list_reply, result_reply
from protocol import codec
from protocol.plans import Size
from tests.planner.workbench import World, new_batch

PIXEL = Size(width=1, height=1)
PIXEL_BYTES = len(codec.encode(PIXEL)) + 1


@pytest.mark.parametrize(
    ("entries", "limit", "expected"),
    [
        (0, 100, 0),
        (1, 1, 1),
        (3, 1, 1),
        (3, PIXEL_BYTES, 1),
        (3, 2 * PIXEL_BYTES - 1, 1),
        (3, 2 * PIXEL_BYTES, 2),
        (3, 3 * PIXEL_BYTES, 3),
        (3, 1_000_000, 3),
    ],
)
def test_as_many_entries_fit_as_their_json_allows_and_always_one(entries: int, limit: int, expected: int) -> None:
    assert len(fit_page([PIXEL] * entries, limit)) == expected


def test_long_briefs_make_more_pages_and_no_batch_is_missing_or_shown_twice(world: World):
    names = [f"gen_batch_{number:03d}" for number in range(120)]
    for name in names:
        batch = new_batch(1, name=name)
        batch.command = msgspec.structs.replace(batch.command, brief="\N{ARTIST PALETTE}" * 4000)
        world.start(batch)

    seen: list[str] = []
    first: int | None = 0
    while first is not None:
        page = world.transact(lambda connection, first=first: batch_list_reply(connection, "local", first, 200))
        assert len(codec.encode(page)) < MAX_PAGE_BYTES + 1000
        seen += [batch.hash for batch in page.batch_list.batches]
        first = page.batch_list.next

    assert sorted(seen) == names


def test_a_result_that_fits_is_one_page(world: World):
    world.start(new_batch(3))
    batch = world.run("gen_batch_1")
    whole = world.transact(lambda connection: result_reply(connection, batch, 0, 200)).generation_result

    assert [image.index for image in whole.images] == [0, 1, 2]
    assert whole.next is None
