"""What a generator and the planner say to each other about a paid call. Tagged by `type`. Pure module.

The intent is on disk before it is answered, so a call that was made is known whatever dies; one whose end nobody heard
counts as charged at its highest price and is never made again by itself.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol.errors import ErrorBody
from protocol.ids import Id
from protocol.messages import Blob, JobRef

Micros = Annotated[int, Meta(ge=0, le=10**12, description="micro-dollars")]

IntentState = Literal["open", "captured", "refused", "ambiguous", "resolved"]
"""`refused`: the provider charged nothing. `resolved`: ambiguous once, and settled since."""


class OpenIntent(Struct, frozen=True, kw_only=True, tag_field="type", tag="OPEN_INTENT"):
    """Before a paid call: may it be made? `request` is the SHA-256 of what will be sent, `key` this call's own."""

    ref: JobRef
    provider: Id
    request: Blob
    max_micros: Micros
    key: Id


class NoteIntent(Struct, frozen=True, kw_only=True, tag_field="type", tag="NOTE_INTENT"):
    """While a paid call runs: the provider's name for it, by which it can be looked up whatever dies. It is on disk
    before the provider is asked how the call stands."""

    ref: JobRef
    key: Id
    provider_reference: Annotated[str, Meta(min_length=1, max_length=256)]


class CloseIntent(Struct, frozen=True, kw_only=True, tag_field="type", tag="CLOSE_INTENT"):
    """After it: what it cost, and the provider's name for it."""

    ref: JobRef
    key: Id
    outcome: Literal["captured", "refused"]
    micros: Micros = 0
    provider_reference: Annotated[str, Meta(max_length=256)] | None = None


class IntentReply(Struct, frozen=True, kw_only=True, tag_field="type", tag="INTENT_REPLY"):
    """How the intent stands. With an `error` the call must not be made. `key`, `provider_reference` and `opened_at`,
    seconds since the epoch, are those of an earlier call that may have been made, so that it can be looked up; there
    only where such a call stands in the way."""

    state: IntentState | None
    error: ErrorBody | None = None
    key: Id | UnsetType = UNSET
    provider_reference: str | UnsetType = UNSET
    opened_at: float | UnsetType = UNSET


SpendingCall = OpenIntent | NoteIntent | CloseIntent
"""Requests of a generator to the planner."""

Spending = OpenIntent | NoteIntent | CloseIntent | IntentReply
"""Everything that is said about paid calls."""
