"""Final names of pictures by template, and their keys. Pure module: same picture, same name.

The default `{date}_{section}_{colour}_{seed}` is the convention yyyymmdd_section_colour_seed of seed 002.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath

from agents.storage.record import Record
from protocol.errors import AcpError
from protocol.ids import is_id

REJECTED = PurePosixPath("_Rejected", "Maybe Later")
"""Folder for the best candidates of pictures that failed their bar (seed 002)."""

MAX_FIELD = 48
"""Longest field of a name, in characters, so that a prompt does not push the seed out."""

MAX_STEM_BYTES = 180
"""Longest name in UTF-8 without its ending. File systems take 255 bytes; suffixes need some of them."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_UNSAFE = re.compile(r"[^\w.-]+")
_RUNS = re.compile(r"([_-])[_-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


class BadTemplate(ValueError):
    """A name template cannot be used; the message names the field."""


def check_template(template: str) -> str:
    """The template, if names can be made from it.

    Raises:
        BadTemplate: an unknown field, or a brace that belongs to none.
    """
    for field in _PLACEHOLDER.findall(template):
        if field not in FIELDS:
            known = ", ".join(sorted(FIELDS))
            raise BadTemplate(f"name_template: {{{field[:32]}}} is not a field; known: {known}")
    if set("{}") & set(_PLACEHOLDER.sub("", template)):
        raise BadTemplate("name_template: a brace without its partner")
    return template


def stem(template: str, record: Record) -> str:
    """The name of a picture without folder and ending: safe on any file system, never empty."""
    filled = _PLACEHOLDER.sub(lambda match: _clean(FIELDS[match[1]](record))[:MAX_FIELD], template)
    name = _bounded(_clean(filled)).strip("._- ")
    if not name:
        return record.image_id
    return f"_{name}" if _RESERVED.fullmatch(name) else name


def alternatives(name: str, record: Record) -> Iterator[str]:
    """Names to try in turn while another picture has the name: with the index, then with the whole id."""
    yield name
    yield f"{name}_{record.index}"
    yield f"{name}_{record.image_id}"


def folder(record: Record) -> PurePosixPath:
    """The folder of a picture below the pictures' folder."""
    place = batch_folder(record.client, record.batch)
    return place if record.disposition == "accepted" else place / REJECTED


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


def _moment(text: str) -> datetime | None:
    """The moment a job was made, in UTC: never the clock's, because a name must not change on redelivery."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _clean(text: str) -> str:
    """Letters, digits, dots, hyphens and underscores; anything else, and any run of separators, is one of them."""
    safe = _UNSAFE.sub("-", unicodedata.normalize("NFC", text))
    return _RUNS.sub(r"\1", re.sub(r"\.{2,}", ".", safe)).strip("._-")


def _bounded(name: str) -> str:
    return name.encode()[:MAX_STEM_BYTES].decode(errors="ignore")


def _at(record: Record, form: str) -> str:
    moment = _moment(record.created_at)
    return moment.strftime(form) if moment else ""


FIELDS: Mapping[str, Callable[[Record], str]] = {
    "date": lambda record: _at(record, "%Y%m%d"),
    "time": lambda record: _at(record, "%H%M%S"),
    "client": lambda record: record.client,
    "hash": lambda record: record.batch,
    "image_id": lambda record: record.image_id,
    "index": lambda record: f"{record.index:06d}",
    "attempt": lambda record: str(record.attempt),
    "section": lambda record: record.section or "",
    "colour": lambda record: record.colour or "",
    "seed": lambda record: str(record.seed),
    "model": lambda record: record.model,
    "style": lambda record: record.style or "",
    "prompt": lambda record: record.prompt.lower(),
    "score": lambda record: "" if record.score is None else f"{record.score:.2f}",
}
"""What a name template may say. A field without a value leaves its place out."""
