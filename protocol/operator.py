"""What the operator of a workshop asks of its planner: clients, their limits, costs and batches, and dead letters.

Told apart by `cmd`, answered by replies, and heard on a subject that no client may speak on. Pure module.
"""

from datetime import datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol.ids import Id
from protocol.parameters import BlobName, CostsBy, Limit, Offset

Weight = Annotated[int, Meta(ge=1, le=1000, description="pictures in each of the client's turns")]
InFlight = Annotated[int, Meta(ge=1, le=10_000, description="pictures in flight at once")]


class ListClients(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="LIST_CLIENTS"):
    """Every client, by name."""

    first: Offset = 0
    count: Annotated[int, Meta(ge=1, le=200)] = 50


class ShowClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="SHOW_CLIENT"):
    """One client: its limits, what it spent, and its last changes."""

    client_id: Id


class ShowCosts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="SHOW_COSTS"):
    """What one client's pictures cost, as it may ask itself with COSTS."""

    client_id: Id
    since: Annotated[datetime, Meta(tz=True)] | None = None
    until: Annotated[datetime, Meta(tz=True)] | None = None
    hash: Id | None = None
    by: CostsBy = "provider"
    first: Offset = 0
    count: Annotated[int, Meta(ge=1, le=200)] = 50


class CreateClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="CREATE_CLIENT"):
    """Make a client known before its first command."""

    client_id: Id
    limit: Limit | None = None
    """The most that it may hold and spend together; null is no limit."""
    weight: Weight = 1
    max_in_flight: InFlight | None = None
    """Null is no bound but the workshop's own."""


class OwnBlob(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="OWN_BLOB"):
    """A client brought these pixels, which lie in the blob store: it may name them by their hash."""

    client_id: Id
    blob: BlobName


class LimitClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="LIMIT_CLIENT"):
    """Change what a client may have; what is left out stays."""

    client_id: Id
    limit: Limit | UnsetType | None = UNSET
    """As in CREATE_CLIENT. Below what is held and spent, new commands are refused and running ones go on."""
    weight: Weight | UnsetType = UNSET
    max_in_flight: InFlight | UnsetType | None = UNSET
    """As in CREATE_CLIENT."""


class SuspendClient(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="SUSPEND_CLIENT"
):
    """Begin nothing more for a client: pictures in flight are finished."""

    client_id: Id


class ResumeClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RESUME_CLIENT"):
    """Go on with a suspended or revoked client, its batches included."""

    client_id: Id


class RotateClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="ROTATE_CLIENT"):
    """Tell the ledger that a client gets another password; the login itself is the broker's."""

    client_id: Id


class RevokeClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="REVOKE_CLIENT"):
    """Begin nothing more for a client, whose login ends as well: pictures in flight are finished."""

    client_id: Id


class ListBatches(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="LIST_BATCHES"):
    """The batches of every client, newest first, with whose they are."""

    first: Offset = 0
    count: Annotated[int, Meta(ge=1, le=200)] = 50
    hash: Id | None = None
    """One batch alone."""


class FindWork(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="FIND_WORK"):
    """Is the work of a dead letter still expected?"""

    hash: Id
    """The batch."""
    index: Annotated[int, Meta(ge=0)] | None = None
    """The picture; null where the work is no single picture's."""
    subject: Annotated[str, Meta(max_length=512)]
    """Where the work was queued; it names the attempt."""


OperatorCommand = (
    ListClients
    | ShowClient
    | ShowCosts
    | CreateClient
    | LimitClient
    | SuspendClient
    | ResumeClient
    | RotateClient
    | RevokeClient
    | ListBatches
    | OwnBlob
    | FindWork
)
"""Everything that may be sent to `acp.v1.operator`."""
