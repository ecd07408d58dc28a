"""The storage agent: files each picture, enters it into the catalogue, and says so, in this order.

Killed at any point and delivered again, it ends with one file and one row: names and contents follow from the
message alone, and the catalogue says what is done.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, cast

import structlog
from msgspec import UNSET
from sqlalchemy.exc import SQLAlchemyError

from agents.shared.presence import base_presence
from agents.shared.settings import Settings
from agents.storage import names
from agents.storage.atomic_files import AtomicFiles
from agents.storage.catalogue import Catalogue, CatalogueRow, open_catalogue, row_of, stands_against
from agents.storage.colour import dominant_colour
from agents.storage.filing import NoFreeName, discard_picture, file_picture, original_of, remove_picture
from agents.storage.overview import OverviewWriter
from agents.storage.png import BrokenPng
from agents.storage.record import Record, record_of
from agents.storage.retention import Retention
from agents.storage.stored_picture import stored_picture
from bus.agent import (
    Agent,
    Caller,
    Delivery,
    Endpoint,
    Inbound,
    Intake,
    Outbound,
    Outlet,
    encode_compressed,
)
from bus.blobs import BlobMissing, Blobs
from bus.local_blobs import LocalBlobs
from protocol import codec, subjects
from protocol.channels import ACP_WORK
from protocol.errors import AcpError, BadMessage, DiskFull, Unavailable, is_disk_full
from protocol.messages import (
    ContactSheetMade,
    ImageStored,
    JobFailed,
    JobRef,
    MakeContactSheet,
    Presence,
    StoreImage,
    ref_of,
)
from protocol.reuse import FindStored, Reuse, StoredPictures
from protocol.template import check_template

_log = structlog.get_logger()


class Storage(Agent):
    """Files pictures below one folder, or leaves them in the blob store, and keeps the catalogue of them."""

    role = "storage"

    def __init__(
        self,
        *,
        blobs: Blobs,
        pictures: Path,
        catalogue_url: str,
        name_template: str,
        slots: int,
        files: bool = True,
        retain_days: float | None = None,
    ) -> None:
        self._blobs = blobs
        self._with_files = files
        self._files = AtomicFiles(pictures)
        self._catalogue_url = catalogue_url
        self._template = check_template(name_template, "name_template")
        self._slots = slots
        self._retain_days = retain_days
        self._opened_catalogue: Catalogue | None = None

    @property
    def _catalogue(self) -> Catalogue:
        if self._opened_catalogue is None:
            raise AcpError("internal", "the catalogue is not open", retryable=True)
        return self._opened_catalogue

    def intakes(self) -> Sequence[Intake]:
        return [Intake(ACP_WORK, "storage", (subjects.work_filter("storage"),), slots=self._slots)]

    def endpoints(self) -> Sequence[Endpoint[Any, Any]]:
        return [
            Endpoint(
                subjects.STORED,
                decode=codec.decode_reuse,
                answer=self._find_stored,
                encode=encode_compressed,
            )
        ]

    def presence(self, instance: str) -> Presence:
        return base_presence("storage", instance, self._slots)

    @asynccontextmanager
    async def running(self, outlet: Outlet) -> AsyncGenerator[None]:
        if swept := await asyncio.to_thread(self._files.sweep):
            _log.info("partial_files_swept", count=swept)
        async with open_catalogue(self._catalogue_url) as catalogue:
            self._opened_catalogue = catalogue
            try:
                async with self._remove_expired(catalogue):
                    yield
            finally:
                self._opened_catalogue = None

    @asynccontextmanager
    async def _remove_expired(self, catalogue: Catalogue) -> AsyncGenerator[None]:
        """Remove pictures whose time is over, beside everything else."""
        if self._retain_days is None:
            yield
            return
        retention = Retention(catalogue, self._files, self._blobs, self._retain_days)
        async with asyncio.TaskGroup() as group:
            removing = group.create_task(retention.run())
            try:
                yield
            finally:
                removing.cancel()

    async def handle(self, message: Inbound, delivery: Delivery) -> Sequence[Outbound]:
        """File a picture or a contact sheet.

        Raises:
            AcpError: retryable where the blob is not there yet, the disk or the database failed; `invalid_value`
                where the bytes are no picture.
        """
        try:
            match message:
                case StoreImage():
                    return [await self._store_picture(message)]
                case MakeContactSheet():
                    return [await self._make_sheet(message)]
                case _:
                    raise AcpError("internal", f"the storage agent has no work for {type(message).__name__}")
        except BlobMissing as error:
            raise Unavailable("pixels_missing", f"the picture's bytes are missing: {error}") from error
        except BrokenPng as error:
            raise AcpError("invalid_value", f"the picture cannot be stored: {error}") from error
        except (OSError, NoFreeName) as error:
            if is_disk_full(error):
                raise DiskFull from error
            hint = "see that the disk has room and the pictures' folder can be written"
            raise AcpError("internal", f"the file failed: {error}", hint=hint, retryable=True) from error
        except SQLAlchemyError as error:
            raise AcpError("internal", f"the catalogue failed: {error}", retryable=True) from error

    async def give_up(self, message: Inbound, error: AcpError) -> Sequence[Outbound]:
        """Report as filed what an earlier delivery filed before its process died; a file without a row is removed."""
        if not isinstance(message, StoreImage):
            return ()
        held = await self._catalogue.find(message.job.hash, message.job.index)
        if held is not None and stands_against(held, message):
            return [self._image_stored(held)]
        try:
            await self._discard_picture(message, held)
        except (BlobMissing, BrokenPng, OSError) as failure:
            _log.warning("what was filed of a picture could not be removed", picture=message.job.image_id, why=failure)
        return [JobFailed(ref=ref_of(message.job), stage="storage", error=error.body)]

    async def _store_picture(self, message: StoreImage) -> ImageStored:
        replaces = message.job.replaces is not UNSET
        if not self._with_files:
            row = row_of(message, record_of(message, None), None)
            return self._image_stored(await self._catalogue.add(row, replaces=replaces))
        job = message.job
        held = await self._catalogue.find(job.hash, job.index)
        if held is not None and stands_against(held, message):
            return self._image_stored(held)
        data = await self._blobs.get(message.picture.blob)
        record, path = await asyncio.to_thread(self._file_picture, message, data)
        entry = row_of(message, record, path.relative_to(self._files.root))
        if held is not None and held.path != entry.path and (before := self._files.find(held.path)) is not None:
            # Before its row is replaced: a death in between is mended by the next delivery.
            await asyncio.to_thread(remove_picture, self._files, before)
        held = await self._catalogue.add(entry, replaces=replaces)
        if held.path != entry.path:
            await asyncio.to_thread(remove_picture, self._files, path)
        return self._image_stored(held)

    async def _discard_picture(self, message: StoreImage, held: CatalogueRow | None) -> None:
        data = await self._blobs.get(message.picture.blob)
        kept = self._files.find(held.path) if held is not None else None

        def discard() -> None:
            record = record_of(message, dominant_colour(data, message.picture.provider))
            discard_picture(self._files, self._template, record, kept)

        await asyncio.to_thread(discard)

    def _file_picture(self, message: StoreImage, data: bytes) -> tuple[Record, Path]:
        record = record_of(message, dominant_colour(data, message.picture.provider))
        return record, file_picture(self._files, self._template, record, data)

    def _image_stored(self, entry: CatalogueRow) -> ImageStored:
        path = self._files.find(entry.path)
        return ImageStored(
            ref=JobRef(
                hash=entry.hash,
                client_id=entry.client,
                index=entry.index,
                attempt=entry.attempt,
                image_id=entry.image_id,
            ),
            key=entry.key,
            url=path.as_uri() if path else f"urn:sha256:{entry.blob}",
            path=str(path) if path else None,
            disposition=cast("Literal['accepted', 'kept']", entry.disposition),
        )

    async def _find_stored(self, question: Reuse, caller: Caller) -> StoredPictures:
        """Which pictures are stored already."""
        if not isinstance(question, FindStored):
            raise BadMessage("invalid_value", f"{type(question).__name__} is no question about stored pictures")
        entries = await self._catalogue.find_by_digest(question.client_id, question.digests)
        readable = [entry for entry in entries if await self._ensure_at_hand(entry)]
        return StoredPictures(found=[stored_picture(entry) for entry in readable])

    async def _ensure_at_hand(self, entry: CatalogueRow) -> bool:
        """Whether the pixels of a picture that nobody removed are in the blob store; from its file they come back."""
        path = await asyncio.to_thread(self._files.find, entry.path)
        if path is None and entry.path is not None:
            return False
        if path is not None and not await asyncio.to_thread(path.is_file):
            return False
        if await self._blobs.touch(entry.blob):
            return True
        data = None if path is None else await asyncio.to_thread(original_of, path, entry.blob)
        return data is not None and await self._blobs.put(data) == entry.blob

    async def _make_sheet(self, message: MakeContactSheet) -> ContactSheetMade:
        """Write the overview of what the catalogue has; the sheet's path is null where it has nothing."""
        client, batch = message.client_id, message.hash
        key = names.sheet_key(client, batch)
        path = await OverviewWriter(self._catalogue, self._files).write(message)
        return ContactSheetMade(
            hash=batch, client_id=client, key=key, path=None if path is None else str(path), edition=message.edition
        )


def build(settings: Settings) -> Storage:
    """The storage agent of a workshop."""
    return Storage(
        blobs=LocalBlobs(settings.blobs),
        pictures=settings.pictures,
        catalogue_url=settings.catalogue_url,
        name_template=settings.name_template,
        slots=settings.storage_slots,
        files=settings.storage_files,
        retain_days=settings.retain_days,
    )
