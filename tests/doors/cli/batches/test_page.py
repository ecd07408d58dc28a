"""`bottega open`: a batch's page is found and shown in a browser, also where no workshop runs."""

import asyncio
import json
from pathlib import Path

import pytest

from agents.doors.cli.batches.page import find_page
from agents.doors.cli.errors import ALL_STORED, BAD_INPUT, Failure
from protocol.messages import MakeContactSheet
from tests.doors.cli.conftest import Home
from tests.storage.making import DELIVERY, Silent, png, storage_with, store_image


@pytest.fixture
def page(home: Home) -> Path:
    """The page of a batch that a storage agent wrote."""

    async def write() -> None:
        agent = await storage_with(home.folder, png())
        async with agent.running(Silent()):
            await agent.handle(store_image(data=png()), DELIVERY)
            ask = MakeContactSheet(hash="gen_batch_1", client_id="local", brief="a <script>", quantity=1)
            await agent.handle(ask, DELIVERY)

    asyncio.run(write())
    return home.folder / "pictures" / "local" / "gen_batch_1" / "index.html"


def test_a_page_is_opened_in_the_browser_of_a_display_and_named_where_there_is_none(
    home: Home, page: Path, tmp_path: Path
) -> None:
    browser, opened = tmp_path / "browser.sh", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    with home.start("open", "gen_batch_1", "--json", DISPLAY=":0", BROWSER=f"{browser} %s") as shown:
        said, _ = shown.communicate(timeout=30)
    assert json.loads(said) == {"hash": "gen_batch_1", "path": str(page), "opened": True}
    assert opened.read_text() == page.as_uri()
    assert "a &lt;script&gt;" in page.read_text()

    for arguments in (["--print"], []):
        named = home.run("open", "gen_batch_1", *arguments, DISPLAY="", WAYLAND_DISPLAY="")
        assert (named.returncode, named.stdout) == (ALL_STORED, f"{page}\n")


@pytest.mark.parametrize("batch", ["gen_batch_2", "../local/gen_batch_1", "*", ""])
def test_a_batch_that_this_home_has_no_pictures_of_is_refused_in_words(home: Home, page: Path, batch: str) -> None:
    done = home.run("open", batch, "--print")
    assert done.returncode == BAD_INPUT
    assert f"no pictures of a batch {batch} are in" in done.stderr
    assert "see bottega list" in done.stderr


def test_of_a_batch_without_a_page_its_contact_sheet_is_shown_and_of_one_that_runs_nothing_yet(tmp_path: Path) -> None:
    folder = tmp_path / "local" / "gen_batch_1"
    folder.mkdir(parents=True)
    with pytest.raises(Failure, match="has no page"):
        find_page(tmp_path, "gen_batch_1")
    (folder / "contact_sheet.png").write_bytes(png())
    assert find_page(tmp_path, "gen_batch_1") == folder / "contact_sheet.png"
