"""Clients and what their pictures cost. Pure module."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from protocol.parameters import CostsBy


class ClientBody(Struct, frozen=True, kw_only=True):
    """A client. `limit`, `spent` and `held` are dollars; `pictures` those that were stored, in the batches that the
    ledger keeps. `limit` and `max_in_flight` are null where there is none."""

    client_id: str
    state: Literal["active", "suspended", "revoked"]
    limit: float | None
    spent: float
    held: float
    weight: int
    max_in_flight: int | None
    pictures: int
    created_at: str


ClientChangeKind = Literal[
    "client_created",
    "client_admitted",
    "client_limited",
    "client_suspended",
    "client_resumed",
    "client_rotated",
    "client_revoked",
]


class ClientChanged(Struct, frozen=True, kw_only=True):
    """A change of a client, as the audit log has it: when, which, and what it set; amounts are micro-dollars."""

    at: str
    what: ClientChangeKind
    detail: dict[str, Any]


class ClientReply(Struct, frozen=True, kw_only=True):
    """`{"client": {…}}`. `changes` are the last ones, newest first, there only where the client is shown."""

    client: ClientBody
    changes: list[ClientChanged] | UnsetType = UNSET


class ClientListBody(Struct, frozen=True, kw_only=True):
    """A page of clients, by name."""

    clients: list[ClientBody]
    next: int | None


class ClientList(Struct, frozen=True, kw_only=True):
    """`{"client_list": {…}}`."""

    client_list: ClientListBody


class Charges(Struct, frozen=True, kw_only=True):
    """What attempts cost. `attempts` counts those that were charged, rejected ones included; `completed` the pictures
    that came of them, each with its last attempt that was charged; `cost_per_image` is `cost` by `completed`. Both are
    dollars, null where nothing was charged, the second also where no picture was completed."""

    cost: float | None
    attempts: int
    completed: int
    cost_per_image: float | None


class CostGroup(Struct, frozen=True, kw_only=True):
    """The charges of one provider, model, UTC day (YYYY-MM-DD) or batch, which `name` tells; null is a model that is
    not known."""

    name: str | None
    charges: Charges


class CostsBody(Struct, frozen=True, kw_only=True):
    """A page of costs, days newest first and all else dearest first; `total` is of all groups of the span.

    `limit`, `spent`, `held` and `left` are the client's as they are now, over all its time, in dollars: what it may
    hold and spend together, what it did spend, what is held for pictures that have not ended, and what new commands
    may cost. `limit` and `left` are null where there is none.
    """

    client_id: str
    since: str | None
    until: str | None
    hash: str | None
    by: CostsBy
    groups: list[CostGroup]
    next: int | None
    total: Charges
    limit: float | None
    spent: float
    held: float
    left: float | None


class CostReport(Struct, frozen=True, kw_only=True):
    """`{"costs": {…}}`."""

    costs: CostsBody
