"""Which disks of a workshop were full, from when until when, and whether its broker stores anything.

Pure module: what was known and what is seen go in, what is known comes out.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from bus.disk_space import FULL_BYTES

MIB = 1024 * 1024

MAX_EPISODES = 10
"""The newest are kept."""

TOLD_FOR = timedelta(days=1)
"""How long it is told that a disk was full."""


STORES_NOTHING = "stores nothing that is published: make room on its disk, then start that server again"
"""What is said of a broker that is not the workshop's own."""


class FullDisk(Struct, frozen=True, kw_only=True):
    """A disk that was full, by a folder on it; `until` is null while it is."""

    folder: str
    since: str
    until: str | None = None


class DiskRecord(Struct, frozen=True, kw_only=True):
    """What a supervisor saw, oldest first. `unstored_since` is when the broker was found to store nothing although its
    disk, where that is known, has room; null while it stores."""

    full: list[FullDisk] = field(default_factory=list[FullDisk])
    unstored_since: str | None = None


def note_room(record: DiskRecord, free: Mapping[str, int], now: str) -> DiskRecord:
    """The record after a look at the room in bytes of each folder. A look finds every disk in use: of one that it does
    not name, by this folder at least, nothing is said any more."""
    full = [
        replace(one, until=now) if one.until is None and free.get(one.folder, FULL_BYTES) >= FULL_BYTES else one
        for one in record.full
    ]
    known = {one.folder for one in full if one.until is None}
    full += [
        FullDisk(folder=folder, since=now) for folder, room in free.items() if room < FULL_BYTES and folder not in known
    ]
    return replace(record, full=full[-MAX_EPISODES:])


def note_stored(record: DiskRecord, stored: bool, now: str) -> DiskRecord:
    """The record after a look at what the broker stores."""
    return replace(record, unstored_since=None if stored else record.unstored_since or now)


def recent(record: DiskRecord, now: str) -> list[FullDisk]:
    """The disks that are full, and those that were within the last day."""
    bound = datetime.fromisoformat(now) - TOLD_FOR
    return [one for one in record.full if one.until is None or _is_since(one.until, bound)]


def _is_since(moment: str, bound: datetime) -> bool:
    """Whether a time of the record, which somebody may have damaged, is `bound` or later."""
    try:
        return datetime.fromisoformat(moment) >= bound
    except (ValueError, TypeError):
        return False


def describe(one: FullDisk) -> str:
    """A full disk in words."""
    if one.until is None:
        return f"the disk of {one.folder} is full since {format_time(one.since)}: make room, and all goes on by itself"
    return f"the disk of {one.folder} was full from {format_time(one.since)} until {format_time(one.until)}"


def format_time(moment: str) -> str:
    """`2026-11-30 20:11:03 UTC`; all times of the record are in UTC."""
    return f"{moment[:19].replace('T', ' ')} UTC"


def format_room(free: int) -> str:
    """`3.2 MiB` or `11.4 GiB`."""
    return f"{free / MIB:.1f} MiB" if free < 1024 * MIB else f"{free / MIB / 1024:.1f} GiB"
