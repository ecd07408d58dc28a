"""Intents: a paid call is written down before it is made, and made once.

Each function runs inside a transaction of the writer. An intent is open from the reply that allows it until the
generator reports what the call cost. A call whose end is never reported is ambiguous: it counts as spent at its highest
price.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import UNSET
from sqlalchemy import Connection, RowMapping

from agents.planner.ledger.audit import note
from agents.planner.ledger.batches import current_job_row, require_batch, save_batch
from agents.planner.ledger.states import ChargeKind, IntentState, JobStage, JobState
from agents.planner.ledger.tables import intents
from agents.planner.money.charges import charge
from agents.planner.money.reservations import hold_of, settle_reservation
from protocol.errors import AcpError, Refused, Unavailable
from protocol.ids import image_id
from protocol.messages import JobRef
from protocol.spending import CloseIntent, IntentReply, NoteIntent, OpenIntent

Row = RowMapping

_OF_PICTURE = (intents.c.hash == sa.bindparam("of_hash"), intents.c.index == sa.bindparam("of_index"))
_OF_INTENT = (*_OF_PICTURE, intents.c.attempt == sa.bindparam("of_attempt"))
_INTENTS = sa.select(intents).where(*_OF_PICTURE)
_MOVE = sa.update(intents).where(*_OF_INTENT, intents.c.state == sa.bindparam("of_state"))
_PROMISED_MICROS = sa.select(sa.func.coalesce(sa.func.sum(intents.c.max_micros), 0)).where(
    intents.c.hash == sa.bindparam("of_hash"), intents.c.state == IntentState.OPEN
)
_SILENT_INTENTS = (
    sa.select(intents)
    .where(intents.c.state == IntentState.OPEN, intents.c.opened_at < sa.bindparam("before"))
    .limit(1000)
)


def open_intent(connection: Connection, asked: OpenIntent, now: float) -> IntentReply:
    """Allow a paid call, once for each key, or say why it must not be made."""
    rows = {row["attempt"]: row for row in _intents_of_picture(connection, asked.ref)}
    mine = rows.pop(asked.ref.attempt, None)
    if mine is not None and mine["state"] == IntentState.OPEN and mine["key"] == asked.key:
        return IntentReply(state=IntentState.OPEN.value)
    if mine is not None and mine["state"] == IntentState.OPEN:
        _mark_ambiguous(connection, mine, now)
        return _earlier_call_reply(mine, IntentState.AMBIGUOUS.value)
    if mine is not None and mine["state"] != IntentState.REFUSED:
        return _earlier_call_reply(mine, mine["state"])
    if any(row["state"] == IntentState.OPEN for row in rows.values()):
        return _denial_reply(
            Unavailable("timeout", "the end of an earlier paid call for this picture is not known yet")
        )
    try:
        _check_allowed(connection, asked)
    except Refused as error:
        return _denial_reply(error)
    if mine is None:
        values = {"hash": asked.ref.hash, "index": asked.ref.index, "attempt": asked.ref.attempt}
        connection.execute(sa.insert(intents).values(**values, **_opening_values(asked, now)))
    else:
        _update_intent(connection, asked.ref, IntentState.REFUSED, **_opening_values(asked, now), closed_at=None)
    note(connection, "intent", asked.ref.client_id, now, asked.ref.hash, asked.ref.index, micros=asked.max_micros)
    return IntentReply(state=IntentState.OPEN.value)


def note_intent(connection: Connection, told: NoteIntent) -> IntentReply:
    """Keep the provider's name for a call that runs, also where it counts as charged already. Said twice it changes
    nothing; another name for the same call is refused."""
    row = _intent_of_key(connection, told.ref, told.key)
    if row is None:
        return _denial_reply(Refused("wrong_state", "no paid call was allowed under this key"))
    if row["provider_reference"] not in (None, told.provider_reference):
        known = row["provider_reference"]
        return _denial_reply(Refused("wrong_state", f"the provider calls this call {known} already"), row["state"])
    if row["state"] in (IntentState.OPEN, IntentState.AMBIGUOUS):
        _update_intent(connection, told.ref, row["state"], provider_reference=told.provider_reference)
    return IntentReply(state=row["state"])


def close_intent(connection: Connection, told: CloseIntent, now: float) -> IntentReply:
    """Settle a paid call at what it cost. Said twice it changes nothing; said late it corrects what was assumed."""
    row = _intent_of_key(connection, told.ref, told.key)
    if row is None:
        return _denial_reply(Refused("wrong_state", "no paid call was allowed under this key"))
    cost = told.micros if told.outcome == IntentState.CAPTURED else 0
    reference = told.provider_reference or row["provider_reference"]
    match row["state"]:
        case IntentState.OPEN:
            _update_intent(
                connection, told.ref, IntentState.OPEN, state=told.outcome, provider_reference=reference, closed_at=now
            )
            if told.outcome == IntentState.CAPTURED:
                _charge(connection, row, ChargeKind.PROVIDER, cost, now)
            return IntentReply(state=told.outcome)
        case IntentState.AMBIGUOUS:
            _update_intent(
                connection,
                told.ref,
                IntentState.AMBIGUOUS,
                state=IntentState.RESOLVED,
                provider_reference=reference,
                closed_at=now,
            )
            _charge(connection, row, ChargeKind.CORRECTION, cost - row["max_micros"], now)
            return IntentReply(state=IntentState.RESOLVED.value)
        case state:
            return IntentReply(state=state)


def mark_silent_ambiguous(connection: Connection, before: float, now: float) -> int:
    """Take every intent that was opened `before` and never closed for charged; returns how many."""
    rows = connection.execute(_SILENT_INTENTS, {"before": before}).mappings().all()
    for row in rows:
        _mark_ambiguous(connection, row, now)
    return len(rows)


def _check_allowed(connection: Connection, asked: OpenIntent) -> None:
    job = current_job_row(connection, asked.ref)
    if job is None or job["state"] != JobState.RUNNING or job["stage"] != JobStage.GENERATOR:
        raise Refused("cancelled", "this attempt is not wanted any more")
    hold = hold_of(connection, asked.ref.hash)
    promised: int = connection.execute(_PROMISED_MICROS, {"of_hash": asked.ref.hash}).scalar_one()
    if hold is not None and promised + asked.max_micros > hold.remaining:
        raise Refused("exceeds_budget", "the call may cost more than is held for its batch", hint="raise the budget")


def _opening_values(asked: OpenIntent, now: float) -> dict[str, Any]:
    return {
        "client_id": asked.ref.client_id,
        "provider": asked.provider,
        "request": asked.request,
        "key": asked.key,
        "max_micros": asked.max_micros,
        "state": IntentState.OPEN,
        "opened_at": now,
    }


def _mark_ambiguous(connection: Connection, row: Row, now: float) -> None:
    _update_intent(connection, _job_ref(row), IntentState.OPEN, state=IntentState.AMBIGUOUS, closed_at=now)
    _charge(connection, row, ChargeKind.PROVIDER, row["max_micros"], now)
    note(connection, "ambiguous", row["client_id"], now, row["hash"], row["index"], micros=row["max_micros"])


def _charge(connection: Connection, row: Row, kind: ChargeKind, micros: int, now: float) -> None:
    batch = require_batch(connection, row["hash"])
    if charge(connection, batch, _job_ref(row), row["provider"], kind, micros, now):
        settle_reservation(connection, batch, now)
        save_batch(connection, batch, now)


def _intents_of_picture(connection: Connection, ref: JobRef) -> list[Row]:
    return list(connection.execute(_INTENTS, {"of_hash": ref.hash, "of_index": ref.index}).mappings())


def _intent_of_key(connection: Connection, ref: JobRef, key: str) -> Row | None:
    """The intent of an attempt; null where there is none, or it was opened under another key."""
    found = (row for row in _intents_of_picture(connection, ref) if row["attempt"] == ref.attempt)
    return next((row for row in found if row["key"] == key), None)


def _update_intent(connection: Connection, ref: JobRef, before: IntentState, **values: Any) -> None:
    of = {"of_hash": ref.hash, "of_index": ref.index, "of_attempt": ref.attempt, "of_state": before}
    changed = connection.execute(_MOVE, {**of, **values}).rowcount
    assert changed == 1, "another writer was let in"


def _job_ref(row: Row) -> JobRef:
    index, batch = row["index"], row["hash"]
    return JobRef(
        hash=batch, client_id=row["client_id"], index=index, attempt=row["attempt"], image_id=image_id(batch, index)
    )


def _earlier_call_reply(row: Row, state: Any) -> IntentReply:
    """The refusal of an attempt that was sent before, with what is known of the call where its end is not."""
    reply = _denial_reply(_charged_already_refusal(_job_ref(row)), state)
    if state != IntentState.AMBIGUOUS:
        return reply
    reference = row["provider_reference"]
    return msgspec.structs.replace(
        reply,
        key=row["key"],
        provider_reference=UNSET if reference is None else reference,
        opened_at=row["opened_at"],
    )


def _charged_already_refusal(ref: JobRef) -> AcpError:
    return Refused(
        "ambiguous_charge",
        f"attempt {ref.attempt} was sent to the provider before and may have been charged; it is not sent again",
        hint="see what the provider has, then RETRY the picture",
    )


def _denial_reply(error: AcpError, state: Any = None) -> IntentReply:
    return IntentReply(state=state, error=error.body)
