"""From a blob to a file of the right name, with its record in it and beside it. Blocking; runs in a thread."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from agents.storage import names, png
from agents.storage.atomic_files import AtomicFiles
from agents.storage.record import Record, record_of_texts, sidecar_of, texts_of


class NoFreeName(RuntimeError):
    """Every name that a picture could have belongs to another one."""


def file_picture(files: AtomicFiles, template: str, record: Record, data: bytes) -> Path:
    """Write a picture and its sidecar durably; returns the picture's path.

    Filing the same picture again, also after a death in the middle, ends in the same files. The picture is written
    before the sidecar, because it claims the name.

    Raises:
        png.BrokenPng: the bytes are not a whole PNG file.
        NoFreeName: other pictures have all the names it could have.
    """
    complete = png.with_text(data, texts_of(record))
    for path in _candidate_paths(files, template, record):
        if _claim_path(files, path, complete, record.image_id):
            files.replace(sidecar_path(path), sidecar_of(record))
            return path
    raise NoFreeName(f"no name is free for {record.image_id} in {files.root / names.picture_folder(record)}")


def discard_picture(files: AtomicFiles, template: str, record: Record, kept: Path | None) -> None:
    """Remove what filing a picture left, unless it is the file `kept`."""
    for path in _candidate_paths(files, template, record):
        if path != kept and _picture_id_in(path) == record.image_id:
            remove_picture(files, path)


def remove_picture(files: AtomicFiles, path: Path) -> None:
    """Remove a picture and its sidecar."""
    files.remove(sidecar_path(path))
    files.remove(path)


def sidecar_path(picture: Path) -> Path:
    """The JSON file beside a picture."""
    return picture.with_name(f"{picture.stem}.json")


def original_of(path: Path, blob: str) -> bytes | None:
    """The bytes that a picture was filed from, of this SHA-256; null where they do not come back from the file."""
    try:
        data = png.without_text(path.read_bytes())
    except (OSError, png.BrokenPng):
        return None
    return data if hashlib.sha256(data).hexdigest() == blob else None


def read_record(data: bytes) -> Record:
    """How a PNG picture of this program was made, from the picture alone.

    Raises:
        png.BrokenPng: the bytes are not a whole PNG file.
        msgspec.MsgspecError: the picture carries no record.
    """
    return record_of_texts(png.read_text(data))


def _candidate_paths(files: AtomicFiles, template: str, record: Record) -> Iterator[Path]:
    """Paths that a picture may have, in the order in which they are tried."""
    named = names.picture_path(template, record)
    for name in names.candidate_names(named.name, record):
        yield files.root / names.picture_folder(record) / named.parent / f"{name}.png"


def _claim_path(files: AtomicFiles, path: Path, data: bytes, image_id: str) -> bool:
    """Whether the picture is now filed under this name: the name was free, or its own already."""
    try:
        files.create(path, data)
    except FileExistsError:
        if _picture_id_in(path) != image_id:
            return False
        files.replace(path, data)
    return True


def _picture_id_in(path: Path) -> str | None:
    """The id of the picture in a file; null where it is not one of ours."""
    try:
        return read_record(path.read_bytes()).image_id
    except (OSError, png.BrokenPng, msgspec.MsgspecError):
        return None
