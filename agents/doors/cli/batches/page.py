"""`bottega open`: the page of a batch in a browser. Needs no workshop."""

import os
import sys
import webbrowser
from pathlib import Path

from msgspec import Struct

from agents.doors.cli.errors import bad_input
from agents.doors.cli.settings import load_settings
from agents.storage.batch_page import PAGE_NAME
from agents.storage.contact_sheet import SHEET_NAME
from protocol.codec import encode
from protocol.ids import is_id


class OpenedPage(Struct, frozen=True, kw_only=True):
    """What `bottega open --json` prints. `opened` is false where there is no display, or nobody asked for it."""

    hash: str
    path: str
    opened: bool


def open_page(batch: str, print_only: bool, json: bool) -> None:
    """Show a batch in a browser, and print where its page is.

    Raises:
        Failure: this home has no pictures of such a batch, or no page of it yet.
    """
    page = find_page(load_settings().pictures, batch)
    opened = not print_only and _has_display() and webbrowser.open(page.as_uri())
    told = OpenedPage(hash=batch, path=str(page), opened=opened)
    sys.stdout.write((encode(told).decode() if json else str(page)) + "\n")


def find_page(pictures: Path, batch: str) -> Path:
    """The page of a batch below the pictures' folder; of a batch that has none its contact sheet.

    Raises:
        Failure: there are no pictures of such a batch, or neither page nor sheet yet.
    """
    folders = [folder for folder in pictures.glob(f"*/{batch}") if folder.is_dir()] if is_id(batch) else []
    if not folders:
        raise bad_input(
            f"no pictures of a batch {batch[:80]} are in {pictures}", code="unknown_batch", hint="see bottega list"
        )
    for name in (PAGE_NAME, SHEET_NAME):
        for folder in folders:
            if (folder / name).is_file():
                return (folder / name).absolute()
    raise bad_input(
        f"{batch} has no page: it is written when a batch has ended and a picture of it is stored",
        code="wrong_state",
        path=str(folders[0]),
        hint=f"see bottega status {batch} --watch",
    )


def _has_display() -> bool:
    """Whether a browser can show a window here; on Linux a display is named in the environment."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
