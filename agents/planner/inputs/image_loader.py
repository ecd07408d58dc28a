"""Finds the pictures that a command names, checks them, and makes sure that they are in the blob store."""

import asyncio
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from agents.planner.ledger.batches import load_batch
from agents.planner.ledger.made_pixels import MadePixels
from agents.planner.ledger.records import Outcome, decode_evidence
from agents.planner.ledger.states import JobState
from agents.planner.ledger.tables import attempts, jobs
from agents.planner.planning.source_images import NO_SOURCE_IMAGES, LoadedImage, SourceImages, check_lines, check_mask
from agents.shared.contained_path import contained_path
from agents.shared.database.group_commit import GroupCommit
from agents.shared.picture import MAX_BYTES, Rgb, Undecodable
from agents.shared.picture_formats import FORMATS
from agents.shared.sandbox.pool import PARSERS
from agents.shared.sandbox.wire import Wanted
from bus.blobs import BlobMissing, Blobs
from protocol.commands import GenerateImages
from protocol.errors import BadCommand, Refused
from protocol.ids import index_of
from protocol.parameters import ImageSource
from protocol.post import CorrectColour

BlobAndFile = tuple[str, str | None]
"""The blob of a picture that was made, and its file on this machine or null."""


class ImageLoader:
    """Pictures of a ledger's batches, of a blob store and below a folder of filed pictures."""

    def __init__(self, ledger: GroupCommit, made: MadePixels, blobs: Blobs, pictures: Path) -> None:
        self._ledger = ledger
        self._made = made
        self._blobs = blobs
        self._pictures = pictures

    async def load(self, command: GenerateImages, client: str) -> SourceImages:
        """The pictures that a command of `client` names.

        Raises:
            BadCommand: a source that does not name one picture.
            Refused: a picture that is not there, cannot be read, or leads nothing.
        """
        matched = {
            position: step.towards
            for position, step in enumerate(command.post)
            if isinstance(step, CorrectColour) and step.towards is not None
        }
        if not (command.init_image or command.mask or command.controls or command.references or matched):
            return NO_SOURCE_IMAGES
        init = mask = None
        if command.init_image is not None:
            init, _ = await self._load_image(command.init_image, client, "$.init_image")
        if command.mask is not None:
            mask, pixels = await self._load_image(command.mask, client, "$.mask", "brightest")
            check_mask(pixels)
        controls: list[LoadedImage] = []
        for position, control in enumerate(command.controls):
            path = f"$.controls[{position}].image"
            found, pixels = await self._load_image(control.image, client, path, "sample")
            if control.kind == "canny":
                await asyncio.to_thread(check_lines, pixels, control.preprocessed, path)
            controls.append(found)
        references = [
            (await self._load_image(one.image, client, f"$.references[{position}].image"))[0]
            for position, one in enumerate(command.references)
        ]
        colours = {
            position: (await self._load_image(source, client, f"$.post[{position}].towards"))[0]
            for position, source in matched.items()
        }
        return SourceImages(init, mask, tuple(controls), tuple(references), colours)

    async def _load_image(
        self, source: ImageSource, client: str, path: str, wanted: Wanted = "size"
    ) -> tuple[LoadedImage, Rgb]:
        """A picture, and those of its pixels that are wanted."""
        data = await self._read_source(source, client, path)
        try:
            parsed = await PARSERS.parse(data, wanted, client)
        except Undecodable as error:
            raise Refused(
                "invalid_value",
                f"the picture cannot be used: {error}",
                path=path,
                hint=f"give {', '.join(FORMATS)}",
            ) from error
        # Put also where it is there, so that its time begins anew.
        return LoadedImage(await self._blobs.put(data), parsed.width, parsed.height, parsed.frames), parsed.rgb

    async def _read_source(self, source: ImageSource, client: str, path: str) -> bytes:
        match source:
            case ImageSource(image_id=str(name), blob=None, url=None):
                blob, file = await self._ledger.read(lambda connection: _find_completed(connection, client, name, path))
            case ImageSource(image_id=None, blob=str(blob), url=None):
                file = None
            case ImageSource(image_id=None, blob=None, url=str()):
                raise Refused(
                    "not_supported",
                    "this version fetches no picture from the network",
                    path=f"{path}.url",
                    hint="save it, and give the file: bottega generate --image FILE",
                )
            case _:
                raise BadCommand(
                    "invalid_value",
                    "a picture is named by one of image_id, blob, url",
                    path=path,
                    hint='{"image_id": "gen_batch_…_000000"}',
                )
        try:
            if source.blob is not None and not await self._made.is_owner(client, blob):
                raise BlobMissing(f"there is no blob {blob}")  # as of one that is nowhere: it must not tell whose it is
            return await self._blobs.get(blob, limit=MAX_BYTES)
        except BlobMissing as error:
            # Pixels of a picture that ended leave the blob store; its file stays.
            data = await asyncio.to_thread(_read, self._pictures, Path(file)) if file else None
            if data is None:
                raise Refused(
                    "pixels_missing",
                    f"the picture is not there: {error}",
                    path=path,
                    hint=f"restore {file}" if file else "bring the same file again: bottega generate --image FILE",
                ) from error
            return data


def _find_completed(connection: Connection, client: str, name: str, path: str) -> BlobAndFile:
    """A picture that a batch of the client made.

    Raises:
        Refused: there is none of that id, or it was not completed.
    """
    batch = load_batch(connection, name.rpartition("_")[0])
    index = index_of(batch.hash, name) if batch is not None and batch.client_id == client else None
    if batch is None or index is None:
        raise Refused(
            "unknown_image", f"{name!r} is no picture of this client", path=f"{path}.image_id", hint="see RESULT"
        )
    outcome = connection.execute(
        sa.select(jobs.c.outcome).where(
            jobs.c.hash == batch.hash, jobs.c.index == index, jobs.c.state == JobState.COMPLETED
        )
    ).scalar()
    if outcome is None:
        raise Refused("wrong_state", f"{name} is not completed", path=f"{path}.image_id", hint="see RESULT")
    told = msgspec.json.decode(outcome, type=Outcome)
    evidence = connection.execute(
        sa.select(attempts.c.evidence).where(
            attempts.c.hash == batch.hash, attempts.c.index == index, attempts.c.attempt == told.attempt
        )
    ).scalar_one()
    return decode_evidence(evidence).picture.blob, told.path


def _read(pictures: Path, file: Path) -> bytes | None:
    """The bytes of a filed picture, one more than a picture may have at most; null where it is gone, or lies elsewhere
    than below the pictures' folder, as a ledger that was changed by hand may say."""
    if (
        not file.is_relative_to(pictures)
        or (found := contained_path(pictures, str(file.relative_to(pictures)))) is None
    ):
        return None
    try:
        with found.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError:
        return None
