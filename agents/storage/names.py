"""Final names of pictures by template, and their keys. Pure module: same picture, same name.

The default is `{date}_{section}_{colour}_{seed}`, with the date as yyyymmdd.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from agents.storage.record import Record
from protocol.catalogue import short_id
from protocol.errors import AcpError
from protocol.ids import is_id
from protocol.template import PLACEHOLDER

REJECTED_FOLDER = PurePosixPath("_Rejected", "Maybe Later")
"""Folder for the best candidates of pictures that failed their minimum score."""

MAX_FIELD_CHARS = 48
"""Longest field of a name, in characters, so that a prompt does not push the seed out."""

MAX_SWEEP_CHARS = 120
"""Longest list of swept values in a name, in characters."""

MAX_VALUE_CHARS = 16
"""Longest swept value in a name, in characters."""

MAX_STEM_BYTES = 180
"""Longest name in UTF-8 without its ending. File systems take 255 bytes; suffixes need some of them."""

_UNSAFE_CHARS = re.compile(r"[^\w.-]+")
_SEPARATOR_RUNS = re.compile(r"([_-])[_-]+")
_RESERVED_NAME = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def picture_path(template: str, record: Record) -> PurePosixPath:
    """Folder and name of a picture by its template, without ending: each part safe on any file system, never empty.

    The job's own template goes before `template`, the workshop's. Values of a sweep are in every name.
    """
    template = record.name_template or template
    if record.swept and "{sweep}" not in template:
        template = f"{template}_{{sweep}}"
    *folders, name = template.split("/")
    parts = [part for folder in folders if (part := _fill_part(folder, record))]
    return PurePosixPath(*parts, _fill_part(name, record) or record.image_id)


def _fill_part(template: str, record: Record) -> str:
    """One part of a path, empty where none of its fields has a value."""
    filled = PLACEHOLDER.sub(lambda match: _field_value(match[1], record), template)
    name = _truncate(_sanitise(filled)).strip("._- ")
    return f"_{name}" if _RESERVED_NAME.fullmatch(name) else name


def _field_value(field: str, record: Record) -> str:
    text = _sanitise(FIELDS.get(field, _empty_field)(record))
    return text[: MAX_SWEEP_CHARS if field == "sweep" else MAX_FIELD_CHARS]


def candidate_names(name: str, record: Record) -> Iterator[str]:
    """Names to try in turn while another picture has the name: with the index, then with the whole id."""
    yield name
    yield f"{name}_{record.index}"
    yield f"{name}_{record.image_id}"


def picture_folder(record: Record) -> PurePosixPath:
    """The folder of a picture below the pictures' folder."""
    place = batch_folder(record.client, record.batch)
    return place if record.disposition == "accepted" else place / REJECTED_FOLDER


def batch_folder(client: str, batch: str) -> PurePosixPath:
    """The folder of a batch below the pictures' folder.

    Raises:
        AcpError: `invalid_value`, where a name is not an id and so must not become a path.
    """
    for name in (client, batch):
        if not is_id(name):
            raise AcpError("invalid_value", f"{name[:64]!r} cannot name a folder")
    return PurePosixPath(client, batch)


def image_key(client: str, image_id: str) -> str:
    """The storage key of a picture, the same in any store."""
    return f"clients/{client}/images/{image_id}.png"


def sheet_key(client: str, batch: str) -> str:
    """The storage key of a batch's contact sheet."""
    return f"clients/{client}/sheets/{batch}.png"


def _parse_time(text: str) -> datetime | None:
    """The moment a job was made, in UTC: never the clock's, because a name must not change on redelivery."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _sanitise(text: str) -> str:
    """Letters, digits, dots, hyphens and underscores; anything else, and any run of separators, is one of them."""
    safe = _UNSAFE_CHARS.sub("-", unicodedata.normalize("NFC", text))
    return _SEPARATOR_RUNS.sub(r"\1", re.sub(r"\.{2,}", ".", safe)).strip("._-")


def _truncate(name: str) -> str:
    return name.encode()[:MAX_STEM_BYTES].decode(errors="ignore")


def _shorten(value: object) -> str:
    """A swept value, as much of it as a name has room for."""
    return f"{value:g}" if isinstance(value, float) else str(value)[:MAX_VALUE_CHARS]


def _empty_field(record: Record) -> str:
    return ""


def _catalogue_field(field: str) -> Callable[[Record], str]:
    return lambda record: getattr(record.catalogued, field, None) or ""


def _format_created_at(record: Record, form: str) -> str:
    moment = _parse_time(record.created_at)
    return moment.strftime(form) if moment else ""


FIELDS: Mapping[str, Callable[[Record], str]] = {
    "date": lambda record: _format_created_at(record, "%Y%m%d"),
    "time": lambda record: _format_created_at(record, "%H%M%S"),
    "client": lambda record: record.client,
    "hash": lambda record: record.batch,
    "image_id": lambda record: record.image_id,
    "index": lambda record: f"{record.index:06d}",
    "attempt": lambda record: str(record.attempt),
    "section": lambda record: record.section or "",
    "colour": lambda record: record.colour or "",
    "seed": lambda record: str(record.pixels.seed),
    "model": lambda record: record.pixels.model,
    "style": lambda record: record.style or "",
    "prompt": lambda record: record.pixels.prompt.lower(),
    "score": lambda record: "" if record.score is None else f"{record.score:.2f}",
    "sweep": lambda record: "_".join(f"{name}-{_shorten(value)}" for name, value in record.swept.items()),
    "timestamp": lambda record: _format_created_at(record, "%Y-%m-%d-%H-%M-%S"),
    "catalogue": _catalogue_field("catalogue"),
    "wardrobe": _catalogue_field("wardrobe"),
    "ui_style": _catalogue_field("ui_style"),
    "combo_id": _catalogue_field("combo"),
    "prompt_id": _catalogue_field("prompt_id"),
    "short_prompt_id": lambda record: short_id(record.catalogued.prompt_id) if record.catalogued else "",
    "quality": lambda record: record.catalogued.quality if record.catalogued else f"{record.width}x{record.height}",
}
"""What a name template may say. A field without a value leaves its place out."""
