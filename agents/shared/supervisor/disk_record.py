"""The room on the disks of a workshop, and `run/disks.json`, the record of those that were full, for `status` and
`doctor`."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from agents.shared.settings import Settings
from agents.shared.supervisor.full_disks import DiskRecord, note_room
from bus.disk_space import free_bytes, nearest_folder
from bus.durable_files import replace_file

MAX_RECORD_BYTES = 64 * 1024

SQLITE = "sqlite:///"


def look_at_disks(folders: Iterable[Path]) -> dict[str, int]:
    """Room in bytes by folder, of each disk once: of those folders that lie on one, the first."""
    seen: set[int] = set()
    found: dict[str, int] = {}
    for wanted in folders:
        folder = nearest_folder(wanted)
        device = folder.stat().st_dev
        if device not in seen:
            seen.add(device)
            found[str(folder)] = free_bytes(folder)
    return found


def folders_of(settings: Settings) -> list[Path]:
    """Where the workshop writes, the home first."""
    urls = (settings.ledger_url, settings.catalogue_url)
    databases = [Path(url.removeprefix(SQLITE)).parent for url in urls if url.startswith(SQLITE)]
    places = [settings.home, settings.nats_folder, settings.blobs, settings.pictures, *databases]
    return [place.absolute() for place in places]


def current_record(settings: Settings) -> DiskRecord:
    """The record, and what is seen now: a full disk may have had no room for it."""
    free = look_at_disks(folders_of(settings))
    return note_room(read_record(record_file(settings)), free, time_text())


def time_text() -> str:
    """The time in UTC, as the record has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def record_file(settings: Settings) -> Path:
    """Where the record lies, beside the address."""
    return settings.address_file.with_name("disks.json")


def read_record(file: Path) -> DiskRecord:
    """The record; an empty one where there is none that can be read."""
    try:
        with file.open("rb") as stream:
            return msgspec.json.decode(stream.read(MAX_RECORD_BYTES), type=DiskRecord)
    except (OSError, msgspec.DecodeError):
        return DiskRecord()


def write_record(file: Path, record: DiskRecord) -> None:
    """Replace the record.

    Raises:
        OSError: there is no room for it.
    """
    replace_file(file, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
