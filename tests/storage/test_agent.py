"""The storage agent as the bus sees it: files, rows, messages, also after a death at the worst moment."""

import asyncio
import json
import math
import re
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from PIL import Image

from agents.shared.settings import Settings
from agents.storage.agent import build
from agents.storage.atomic_files import PARTIAL_FOLDER, AtomicFiles
from agents.storage.batch_page import PICTURES_PER_PAGE
from agents.storage.catalogue import open_catalogue
from agents.storage.filing import file_picture, read_record
from agents.storage.record import Record, record_of
from bus.local_blobs import LocalBlobs
from protocol.errors import AcpError, BadCommand, DiskFull, Unavailable
from protocol.messages import ContactSheetMade, ImageStored, JobFailed, MakeContactSheet, StoreImage, ref_of
from tests.small_disk import fill, small_disk
from tests.storage.making import DELIVERY, Silent, png, storage_with, store_image

TEAL, RED = png(), png((208, 32, 38))


def files_in(home: Path) -> list[str]:
    pictures = home / "pictures"
    return sorted(path.relative_to(pictures).as_posix() for path in pictures.rglob("*") if path.is_file())


async def store(home: Path, *messages: StoreImage, **settings: str) -> list[ImageStored]:
    """Store pictures one after another with an agent of its own."""
    agent = await storage_with(home, TEAL, RED, **settings)
    stored: list[ImageStored] = []
    async with asyncio.timeout(20), agent.running(Silent()):
        for message in messages:
            [answer] = await agent.handle(message, DELIVERY)
            assert isinstance(answer, ImageStored)
            stored.append(answer)
    return stored


def recorded(path: Path) -> Record:
    return read_record(path.read_bytes())


async def rows(home: Path) -> int:
    async with open_catalogue(Settings(home=home).catalogue_url) as catalogue:
        return await catalogue.count("local", "gen_batch_1")


async def test_an_accepted_picture_is_filed_by_its_template_with_record_and_sidecar(tmp_path: Path) -> None:
    message = store_image(data=TEAL)
    [stored] = await store(tmp_path, message)
    assert stored.ref == ref_of(message.job)
    assert stored.key == "clients/local/images/gen_batch_1_000000.png"
    assert files_in(tmp_path) == [
        "local/gen_batch_1/20261120_hero_teal_1000.json",
        "local/gen_batch_1/20261120_hero_teal_1000.png",
    ]
    path = Path(stored.path or "")
    assert unquote(urlparse(stored.url).path) == str(path)
    with Image.open(path) as filed:
        assert (filed.size, filed.getpixel((3, 3))) == ((16, 12), (10, 140, 142))
    record = recorded(path)
    assert (record.pixels.prompt, record.pixels.seed, record.metadata) == (
        message.job.pixels.prompt,
        1000,
        {"campaign": "spring", "slot": 3},
    )
    assert json.loads(path.with_suffix(".json").read_text())["image_id"] == "gen_batch_1_000000"


async def test_a_picture_that_finds_no_room_is_filed_once_there_is_some(tmp_path: Path) -> None:
    message = store_image(data=TEAL)
    with small_disk(tmp_path / "pictures", 64) as pictures:
        agent = await storage_with(tmp_path, TEAL)
        async with asyncio.timeout(20), agent.running(Silent()):
            ballast = fill(pictures)
            with pytest.raises(DiskFull):
                await agent.handle(message, DELIVERY)
            assert files_in(tmp_path) == ["ballast"]
            ballast.unlink()
            [stored] = await agent.handle(message, DELIVERY)
        assert isinstance(stored, ImageStored)
        assert len(files_in(tmp_path)) == 2


async def test_without_files_a_picture_is_a_row_that_names_its_blob(tmp_path: Path) -> None:
    message = store_image(data=TEAL)
    one, again = await store(tmp_path, message, message, storage_files="false")
    assert one == again
    assert (one.path, one.url) == (None, f"urn:sha256:{message.picture.blob}")
    assert files_in(tmp_path) == []
    assert await rows(tmp_path) == 1


async def test_a_candidate_below_the_bar_is_kept_apart(tmp_path: Path) -> None:
    [stored] = await store(tmp_path, store_image(data=TEAL, disposition="kept"))
    assert stored.disposition == "kept"
    assert "local/gen_batch_1/_Rejected/Maybe Later/20261120_hero_teal_1000.png" in files_in(tmp_path)


async def test_a_picture_that_is_accepted_after_all_takes_the_place_of_the_kept_candidate(tmp_path: Path) -> None:
    kept = store_image(data=TEAL, disposition="kept")
    accepted = store_image(data=RED, attempt=4, seed=77)
    _, stored = await store(tmp_path, kept, accepted)
    assert (stored.disposition, stored.ref.attempt) == ("accepted", 4)
    assert [name for name in files_in(tmp_path) if name.endswith(".png")] == [
        str(Path(stored.path or "").relative_to(tmp_path / "pictures"))
    ]
    assert len(files_in(tmp_path)) == 2
    assert await rows(tmp_path) == 1


@pytest.mark.parametrize("files", ["true", "false"])
async def test_an_attempt_that_replaces_the_stored_one_takes_its_place_and_stays(tmp_path: Path, files: str) -> None:
    first = store_image(data=TEAL)
    nearer = store_image(data=RED, attempt=2, seed=77, replaces=1)
    stored = await store(tmp_path, first, nearer, nearer, first, storage_files=files)
    assert [one.ref.attempt for one in stored] == [1, 2, 2, 2]
    assert await rows(tmp_path) == 1
    if files == "true":
        [picture] = [name for name in files_in(tmp_path) if name.endswith(".png")]
        assert recorded(tmp_path / "pictures" / picture).pixels.seed == 77
        assert len(files_in(tmp_path)) == 2


async def test_delivered_again_the_picture_stays_one_file_and_one_row(tmp_path: Path) -> None:
    message = store_image(data=TEAL)
    first, second = await store(tmp_path, message, message)
    [third] = await store(tmp_path, message)
    assert first == second == third
    assert len(files_in(tmp_path)) == 2
    assert await rows(tmp_path) == 1


async def test_a_picture_that_is_stored_needs_its_blob_no_more(tmp_path: Path) -> None:
    message = store_image(data=TEAL)
    [first] = await store(tmp_path, message)
    agent = await storage_with(tmp_path)
    await LocalBlobs(Settings(home=tmp_path).blobs).remove_idle(message.picture.blob, math.inf)
    async with agent.running(Silent()):
        assert await agent.handle(message, DELIVERY) == [first]


async def test_delivered_twice_at_once_the_picture_stays_one_file_and_one_row(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL)
    message = store_image(data=TEAL)
    async with asyncio.timeout(20), agent.running(Silent()):
        answers = await asyncio.gather(*(agent.handle(message, DELIVERY) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert len(files_in(tmp_path)) == 2
    assert await rows(tmp_path) == 1


async def test_a_late_attempt_changes_nothing_and_is_told_which_one_is_stored(tmp_path: Path) -> None:
    first, late = await store(tmp_path, store_image(data=TEAL), store_image(data=RED, attempt=2, seed=77))
    assert first == late
    assert len(files_in(tmp_path)) == 2


async def test_two_attempts_at_once_leave_only_the_files_of_the_one_that_has_the_row(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL, RED)
    attempts = [store_image(data=TEAL), store_image(data=RED, attempt=2, seed=77)]
    async with asyncio.timeout(20), agent.running(Silent()):
        [one], [two] = await asyncio.gather(*(agent.handle(message, DELIVERY) for message in attempts))
    assert isinstance(one, ImageStored)
    assert one == two
    assert [name for name in files_in(tmp_path) if name.endswith(".png")] == [
        str(Path(one.path or "").relative_to(tmp_path / "pictures"))
    ]


async def test_pictures_whose_names_collide_both_stay(tmp_path: Path) -> None:
    same = {"name_template": "{date}_{colour}"}
    messages = [store_image(data=TEAL, index=index) for index in (3, 7)]
    stored = await store(tmp_path, *messages, **same)
    again = await store(tmp_path, *reversed(messages), **same)
    assert [Path(answer.path or "").name for answer in stored] == ["20261120_teal.png", "20261120_teal_7.png"]
    assert stored == again[::-1]
    assert len(files_in(tmp_path)) == 4


async def test_a_file_that_a_person_put_there_is_never_overwritten(tmp_path: Path) -> None:
    own = tmp_path / "pictures" / "local" / "gen_batch_1" / "20261120_hero_teal_1000.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"my own notes")
    [stored] = await store(tmp_path, store_image(data=TEAL))
    assert own.read_bytes() == b"my own notes"
    assert Path(stored.path or "").name == "20261120_hero_teal_1000_0.png"


def test_a_file_that_an_earlier_attempt_left_without_a_row_is_written_anew(tmp_path: Path) -> None:
    files = AtomicFiles(tmp_path)
    for attempt, data in ((1, TEAL), (2, RED)):
        record = record_of(store_image(data=data, attempt=attempt), "teal")
        path = file_picture(files, "{date}", record, data)
    assert path == tmp_path / "local" / "gen_batch_1" / "20261120.png"
    assert recorded(path).attempt == 2


async def test_a_blob_that_is_not_there_yet_is_worth_another_delivery(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path)
    async with agent.running(Silent()):
        with pytest.raises(AcpError) as failed:
            await agent.handle(store_image(data=TEAL), DELIVERY)
    assert failed.value.retryable
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("data", [b"", b"<svg/>", TEAL[:-7], TEAL[:48]], ids=["empty", "svg", "cut", "half"])
async def test_bytes_that_are_no_picture_are_given_up_and_leave_nothing(tmp_path: Path, data: bytes) -> None:
    agent = await storage_with(tmp_path, data)
    message = store_image(data=data)
    async with agent.running(Silent()):
        with pytest.raises(AcpError) as failed:
            await agent.handle(message, DELIVERY)
        said = await agent.give_up(message, failed.value)
    assert (failed.value.code, failed.value.retryable) == ("invalid_value", False)
    assert said == [JobFailed(ref=ref_of(message.job), stage="storage", error=failed.value.body)]
    assert files_in(tmp_path) == []


async def test_a_picture_that_was_filed_before_its_message_was_given_up_is_told_as_filed(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL)
    message = store_image(data=TEAL)
    async with agent.running(Silent()):
        filed = await agent.handle(message, DELIVERY)
        assert await agent.give_up(message, Unavailable("internal", "not finished in 5 deliveries")) == filed


async def test_a_file_that_never_got_its_row_goes_when_its_message_is_given_up(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL)
    message = store_image(data=TEAL)
    async with agent.running(Silent()):
        await agent.handle(message, DELIVERY)
        assert len(files_in(tmp_path)) == 2
        with closing(sqlite3.connect(tmp_path / "catalogue.db")) as catalogue, catalogue:
            catalogue.execute("DELETE FROM images")
        (said,) = await agent.give_up(message, Unavailable("internal", "not finished in 5 deliveries"))
    assert isinstance(said, JobFailed)
    assert files_in(tmp_path) == []


async def test_giving_up_a_second_picture_leaves_the_first_of_the_same_name(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL, RED)
    first, second = store_image(data=TEAL), store_image(data=RED, index=1)
    async with agent.running(Silent()):
        await agent.handle(first, DELIVERY)
        before = files_in(tmp_path)
        await agent.give_up(second, Unavailable("internal", "not finished in 5 deliveries"))
    assert files_in(tmp_path) == before != []


def test_a_name_template_that_cannot_work_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(BadCommand):
        build(Settings(home=tmp_path, name_template="{sead}"))


async def test_a_contact_sheet_shows_the_batch_and_may_be_asked_for_again(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL, RED)
    ask = MakeContactSheet(hash="gen_batch_1", client_id="local")
    async with asyncio.timeout(20), agent.running(Silent()):
        await agent.handle(store_image(data=TEAL), DELIVERY)
        await agent.handle(store_image(data=RED, index=1, disposition="kept"), DELIVERY)
        [made] = await agent.handle(ask, DELIVERY)
        assert await agent.handle(ask, DELIVERY) == [made]
    assert isinstance(made, ContactSheetMade)
    assert made.path == str(tmp_path / "pictures" / "local" / "gen_batch_1" / "contact_sheet.png")
    with Image.open(made.path or "") as sheet:
        shown = {colour for _, colour in sheet.getcolors(sheet.width * sheet.height) or []}
    assert {(10, 140, 142), (208, 32, 38)} <= shown
    page = Path(made.path or "").with_name("index.html").read_text()
    assert re.findall('<img src="([^"]*)"', page) == [
        "20261120_hero_teal_1000.png",
        "_Rejected/Maybe%20Later/20261120_hero_red_1001.png",
    ]


async def test_a_batch_of_more_pictures_than_a_page_has_gets_further_pages(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL, storage_files=False)
    async with asyncio.timeout(20), agent.running(Silent()):
        await asyncio.gather(
            *(agent.handle(store_image(data=TEAL, index=index), DELIVERY) for index in range(PICTURES_PER_PAGE + 1))
        )
        [made] = await agent.handle(MakeContactSheet(hash="gen_batch_1", client_id="local"), DELIVERY)
    folder = Path(getattr(made, "path", "")).parent
    counts = {path.name: path.read_text().count("<article>") for path in folder.glob("*.html")}
    assert counts == {"index.html": PICTURES_PER_PAGE, "index-2.html": 1}


async def test_pages_of_a_longer_overview_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path, TEAL, storage_files=False)
    folder = tmp_path / "pictures" / "local" / "gen_batch_1"
    folder.mkdir(parents=True)
    for name in ("index-2.html", "index-13.html", "index-mine.html"):
        (folder / name).write_text("mine")
    async with asyncio.timeout(20), agent.running(Silent()):
        await agent.handle(store_image(data=TEAL), DELIVERY)
        await agent.handle(MakeContactSheet(hash="gen_batch_1", client_id="local"), DELIVERY)
    assert {path.name for path in folder.glob("*.html")} == {"index.html", "index-mine.html"}


async def test_the_sheet_of_a_batch_without_pictures_has_no_file(tmp_path: Path) -> None:
    agent = await storage_with(tmp_path)
    async with agent.running(Silent()):
        [made] = await agent.handle(MakeContactSheet(hash="gen_batch_1", client_id="local"), DELIVERY)
    assert isinstance(made, ContactSheetMade)
    assert made.path is None


FILES_A_PICTURE_AND_DIES = """
import os, signal, sys
from pathlib import Path
from agents.storage.colour import dominant_colour
from agents.storage.atomic_files import AtomicFiles
from agents.storage.filing import file_picture
from agents.storage.record import record_of
from tests.storage.making import png, store_image

record = record_of(store_image(data=png()), dominant_colour(png(), "local"))
file_picture(AtomicFiles(Path(sys.argv[1]) / "pictures"), "{date}_{section}_{colour}_{seed}", record, png())
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_killed_between_file_and_row_the_next_delivery_ends_with_one_file_one_row_and_no_leftover(
    tmp_path: Path,
) -> None:
    dying = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FILES_A_PICTURE_AND_DIES, str(tmp_path), cwd=Path(__file__).parents[2]
    )
    async with asyncio.timeout(30):
        assert await dying.wait() == -signal.SIGKILL
    (tmp_path / "pictures" / PARTIAL_FOLDER / "half-written").write_bytes(TEAL[:20])
    assert len(files_in(tmp_path)) == 3
    assert await rows(tmp_path) == 0
    await store(tmp_path, store_image(data=TEAL))
    assert files_in(tmp_path) == [
        "local/gen_batch_1/20261120_hero_teal_1000.json",
        "local/gen_batch_1/20261120_hero_teal_1000.png",
    ]
    assert await rows(tmp_path) == 1
