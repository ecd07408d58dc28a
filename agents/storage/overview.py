"""The overview of a finished batch, beside its pictures: pages that any browser shows, and a contact sheet."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from msgspec import UNSET

from agents.shared.contained_path import is_plain
from agents.storage import names
from agents.storage.atomic_files import AtomicFiles
from agents.storage.batch_page import PICTURES_PER_PAGE, BatchFacts, PagePicture, page_facts, page_name, write_page
from agents.storage.catalogue import Catalogue, CatalogueRow
from agents.storage.contact_sheet import MAX_PICTURES, SHEET_NAME, SheetFrame, draw_sheet
from protocol.messages import MakeContactSheet

_PAGE = re.compile(r"index(-[0-9]+)?\.html")


@dataclass(frozen=True)
class OverviewWriter:
    """Writes overviews below a root folder."""

    catalogue: Catalogue
    files: AtomicFiles

    async def write(self, message: MakeContactSheet) -> Path | None:
        """Write the pages, then the sheet, of what the catalogue has; returns the sheet's path, null where it has
        nothing. Writing them again replaces them."""
        client, batch = message.client_id, message.hash
        first = await self.catalogue.list_batch(client, batch, MAX_PICTURES)
        if not first:
            return None
        folder = self.files.root / names.batch_folder(client, batch)
        facts = BatchFacts(
            title=batch if message.brief is UNSET else message.brief,
            batch=batch,
            ordered_at=first[0].created_at,
            stored=await self.catalogue.count(client, batch),
            quantity=None if message.quantity is UNSET else message.quantity,
        )
        await self._write_pages(folder, client, facts)
        await asyncio.to_thread(self._write_sheet, folder / SHEET_NAME, facts, first)
        return folder / SHEET_NAME

    async def _write_pages(self, folder: Path, client: str, facts: BatchFacts) -> None:
        """All pages; the first is written last, so that its links lead somewhere."""
        pages = -(-facts.stored // PICTURES_PER_PAGE)
        start = await self.catalogue.list_batch(client, facts.batch, PICTURES_PER_PAGE)
        rows = start
        for number in range(1, pages):
            rows = await self.catalogue.list_batch(client, facts.batch, PICTURES_PER_PAGE, after=rows[-1].index)
            if not rows:
                break
            await asyncio.to_thread(self._write_page, folder, facts, rows, number, pages)
        await asyncio.to_thread(self._write_page, folder, facts, start, 0, pages)
        await asyncio.to_thread(self._remove_pages, folder, pages)

    def _remove_pages(self, folder: Path, first: int) -> None:
        """Remove the pages from `first` on, which an overview of more pictures left."""
        shown = {page_name(number) for number in range(first)}
        for path in folder.glob("index-*.html"):
            if _PAGE.fullmatch(path.name) and path.name not in shown:
                self.files.remove(path)

    def _write_page(self, folder: Path, facts: BatchFacts, rows: Sequence[CatalogueRow], number: int, of: int) -> None:
        inner = folder.relative_to(self.files.root)
        shown = [_page_picture(row, inner) for row in rows]
        self.files.replace(folder / page_name(number), write_page(facts, shown, number, of))

    def _write_sheet(self, path: Path, facts: BatchFacts, rows: Sequence[CatalogueRow]) -> None:
        frames = [self._frame_of(row) for row in rows]
        self.files.replace(path, draw_sheet(facts.title, frames, facts.stored, page_facts(facts)))

    def _frame_of(self, row: CatalogueRow) -> SheetFrame:
        return SheetFrame(
            path=self.files.find(row.path),
            index=row.index,
            seed=row.seed,
            score=row.score,
            below_bar=row.disposition == "kept",
            prompt=row.prompt,
            swept=", ".join(
                f"{name} {value}" for name, value in row.record.get("swept", {}).items() if name != "prompt"
            ),
        )


def is_overview(name: str) -> bool:
    """Whether a file of a batch's folder is part of its overview."""
    return name == SHEET_NAME or _PAGE.fullmatch(name) is not None


def _page_picture(row: CatalogueRow, folder: Path) -> PagePicture:
    below = row.path is not None and is_plain(row.path) and PurePosixPath(row.path).is_relative_to(folder.as_posix())
    path = str(PurePosixPath(row.path or "").relative_to(folder.as_posix())) if below else None
    return PagePicture(path=path, below_bar=row.disposition == "kept", record=row.record)
