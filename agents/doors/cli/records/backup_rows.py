"""What the rows of a backup may hold beyond values of the right kind: each id an id, each record one that this program
reads. Pure module."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from agents.planner.ledger.batches import decode_batch
from agents.planner.ledger.records import PROMPTS_DECODER, decode_evidence, decode_jobs, decode_outcome, decode_work
from agents.planner.ledger.states import OutboxKind
from agents.shared.contained_path import is_plain
from agents.shared.database.foreign_file import Row
from agents.storage.record import record_of_fields
from protocol.ids import is_id
from protocol.results import GenerationStatus
from protocol.reuse import StoredPicture

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def _is_name(value: str) -> bool:
    return _NAME.fullmatch(value) is not None


def _is_digest(value: str) -> bool:
    return _DIGEST.fullmatch(value) is not None


def _is_count(value: int) -> bool:
    return 0 <= value < 2**31


def _is_time(value: float | str) -> bool:
    """Seconds since the epoch, before the year 10000; the catalogue has times as text."""
    return isinstance(value, str) or 0 <= value < 253_402_300_800


_SOUND: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("client_id", "client", "command_id", "hash"), is_id),
    **dict.fromkeys(("image_id", "parent", "reused"), _is_name),
    **dict.fromkeys(("blob", "digest"), _is_digest),
    **dict.fromkeys(("index", "attempt", "quantity", "cursor", "written", "first", "resends"), _is_count),
    **dict.fromkeys(
        ("at", "created_at", "updated_at", "not_before", "deadline", "expires_at", "opened_at", "closed_at"), _is_time
    ),
    "path": is_plain,
}
"""What a value must be by the name of its column, in whichever table."""


def _decode_page(row: Row) -> object:
    """A page of prompts, or of the jobs that an upgrade begins from."""
    try:
        return PROMPTS_DECODER.decode(row["prompts"])
    except msgspec.ValidationError:
        return decode_jobs(row["prompts"])


def _decode_batch(row: Any) -> object:
    batch = decode_batch(row)
    if not batch.cursor <= batch.written <= batch.quantity:
        raise ValueError("more pictures are handed out than have a prompt, or than were ordered")
    return batch


def _decode_stored(row: Row) -> object:
    return row["stored"] and msgspec.json.decode(row["stored"], type=dict[int, StoredPicture])


def _decode_letter(row: Row) -> object:
    if row["kind"] == OutboxKind.WORK:
        return decode_work(row["payload"])
    return msgspec.json.decode(row["payload"], type=GenerationStatus)


_RECORDS: dict[str, list[Callable[[Any], object]]] = {
    "batches": [_decode_batch],
    "prompt_pages": [_decode_page, _decode_stored],
    "jobs": [lambda row: decode_work(row["message"]), lambda row: decode_outcome(row["outcome"])],
    "attempts": [lambda row: row["evidence"] and decode_evidence(row["evidence"])],
    "outbox": [_decode_letter],
    "audit": [lambda row: msgspec.json.decode(row["detail"], type=dict[str, Any])],
    "images": [lambda row: record_of_fields(msgspec.json.decode(row["record"], type=dict[str, Any]))],
}
"""What is read of a table's rows beyond their values."""


def fault_of_row(table: str, row: Row) -> str | None:
    """What is wrong with a row of a table of ledger or catalogue; null where nothing is."""
    for column, value in row.items():
        if value is not None and column in _SOUND and not _SOUND[column](value):
            return f"{column} is {value!r:.80}"
    try:
        for decode in _RECORDS.get(table, []):
            decode(row)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        return f"holds a record that cannot be read: {str(error)[:200]}"
    return None
