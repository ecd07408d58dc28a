"""Clients: who may begin work, and what the operator changes about them. Each function runs inside a transaction.

A suspended client begins nothing: its pictures in flight are finished, its batches wait until it is resumed. A revoked
one is a suspended one that lost its login.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct
from sqlalchemy import Connection, RowMapping

from agents.planner.ledger.audit import last_client_changes, note
from agents.planner.ledger.states import ClientState
from agents.planner.ledger.tables import batches, clients
from agents.shared.database.insert_once import insert_once
from bus.accounts import LOCAL_CLIENT
from protocol.accounts import ClientBody, ClientChangeKind, ClientList, ClientListBody, ClientReply
from protocol.errors import BadCommand, Refused
from protocol.ids import is_id
from protocol.money import dollars, micros
from protocol.operator import CreateClient, LimitClient, ResumeClient, RevokeClient, RotateClient, SuspendClient

ClientChange = CreateClient | LimitClient | SuspendClient | ResumeClient | RotateClient | RevokeClient
"""Commands that change a client."""

SHOWN_CHANGES = 20
"""The last changes that a client is shown with."""

_OF_CLIENT = clients.c.client_id == sa.bindparam("of_client")
_ADD = insert_once(clients)
_CLIENT = sa.select(clients).where(_OF_CLIENT)
_ANOTHER = sa.select(sa.literal(1)).select_from(clients).where(clients.c.client_id != LOCAL_CLIENT).limit(1)


class _TallyCounts(Struct):
    completed: int = 0


_tally_decoder = msgspec.json.Decoder(_TallyCounts)


def client_row(connection: Connection, client: str) -> RowMapping | None:
    """The client, or null."""
    return connection.execute(_CLIENT, {"of_client": client}).mappings().first()


def admit(connection: Connection, client: str, now: float, open_door: bool | None = None) -> None:
    """Let a client begin work; where the door is open, one that sends its first command gets a row by itself.

    Raises:
        Refused: `suspended`, or `unknown_client` where the door is closed.
    """
    check_admitted(connection, client, open_door)
    if client_row(connection, client) is None:
        _add(connection, CreateClient(client_id=client), now)
        if client != LOCAL_CLIENT:
            note(connection, "client_admitted", client, now)


def check_admitted(connection: Connection, client: str, open_door: bool | None) -> None:
    """See that a client may begin work, and change nothing.

    Raises:
        Refused: as `admit`.
    """
    if client_row(connection, client) is None and client != LOCAL_CLIENT and not is_door_open(connection, open_door):
        raise Refused(
            "unknown_client",
            f"the client {client} is not known here",
            hint=f"ask whoever runs the workshop to do: bottega clients create {client}",
        )
    refuse_suspended(connection, client)


def is_door_open(connection: Connection, open_door: bool | None) -> bool:
    """Whether a name that is not known may begin work: as the setting says, and where it says nothing as long as no
    client but the terminal's is known."""
    return connection.execute(_ANOTHER).first() is None if open_door is None else open_door


def refuse_suspended(connection: Connection, client: str) -> None:
    """Begin nothing, and go on with nothing, for a suspended or revoked client.

    Raises:
        Refused: `suspended`.
    """
    row = client_row(connection, client)
    if row is not None and row["state"] != ClientState.ACTIVE:
        raise Refused("suspended", f"the client {client} is {row['state']}", hint="ask whoever runs the workshop")


def change(connection: Connection, command: ClientChange, now: float) -> ClientReply:
    """Do what the operator asks; the client as it is then. A second time changes nothing.

    Raises:
        Refused: `unknown_client`; `wrong_state` for one that is there already, or that cannot be revoked or rotated.
        BadCommand: a name that no client may have, or a change of nothing.
    """
    name = command.client_id
    match command:
        case CreateClient():
            _create(connection, command, now)
        case LimitClient():
            _limit(connection, command, now)
        case SuspendClient():
            _change_state(connection, name, [ClientState.ACTIVE], ClientState.SUSPENDED, now)
        case ResumeClient():
            _change_state(connection, name, [ClientState.SUSPENDED, ClientState.REVOKED], ClientState.ACTIVE, now)
        case RotateClient():
            _rotate(connection, name, now)
        case RevokeClient():
            _revoke(connection, name, now)
    return ClientReply(client=_body(connection, name))


def show(connection: Connection, client: str) -> ClientReply:
    """One client and its last changes.

    Raises:
        Refused: `unknown_client`.
    """
    return ClientReply(client=_body(connection, client), changes=last_client_changes(connection, client, SHOWN_CHANGES))


def list_page(connection: Connection, first: int, count: int) -> ClientList:
    """A page of clients, by name."""
    found = sa.select(clients).order_by(clients.c.client_id).offset(first).limit(count + 1)
    rows = connection.execute(found).mappings().all()
    shown = rows[:count]
    following = first + count if len(rows) > count else None
    return ClientList(client_list=ClientListBody(clients=_bodies(connection, shown), next=following))


def _create(connection: Connection, command: CreateClient, now: float) -> None:
    name = command.client_id
    if not is_id(name):
        raise BadCommand("invalid_value", f"{name!r} means something else", path="$.client_id", hint="another name")
    if not _add(connection, command, now):
        if _is_revoked(connection, name):
            hint = f"bottega clients resume {name} lets it in again, with a new login"
            raise Refused("wrong_state", f"the client {name} is revoked", path="$.client_id", hint=hint)
        hint = f"bottega clients limit {name} changes what it may have, bottega clients rotate {name} its login"
        raise Refused("wrong_state", f"the client {name} is there already", path="$.client_id", hint=hint)
    limit = micros(command.limit.amount) if command.limit else None
    note(
        connection,
        "client_created",
        name,
        now,
        limit_micros=limit,
        weight=command.weight,
        max_in_flight=command.max_in_flight,
    )


def _limit(connection: Connection, command: LimitClient, now: float) -> None:
    values: dict[str, int | None] = {}
    if command.limit is not UNSET:
        values["limit_micros"] = micros(command.limit.amount) if command.limit else None
    if command.weight is not UNSET:
        values["weight"] = command.weight
    if command.max_in_flight is not UNSET:
        values["max_in_flight"] = command.max_in_flight
    if not values:
        hint = '"limit", "weight" or "max_in_flight"'
        raise BadCommand("missing_field", "the command changes nothing", path="$", hint=hint)
    name = command.client_id
    changed = sa.update(clients).where(clients.c.client_id == name).values(**values, updated_at=now)
    if connection.execute(changed).rowcount != 1:
        raise _unknown_client_refusal(name)
    note(connection, "client_limited", name, now, None, None, **values)


_NOTED: dict[ClientState, ClientChangeKind] = {
    ClientState.ACTIVE: "client_resumed",
    ClientState.SUSPENDED: "client_suspended",
    ClientState.REVOKED: "client_revoked",
}


def _change_state(
    connection: Connection, name: str, before: Sequence[ClientState], after: ClientState, now: float
) -> None:
    turned = sa.update(clients).where(clients.c.client_id == name, clients.c.state.in_(before))
    if connection.execute(turned.values(state=after, updated_at=now)).rowcount == 1:
        note(connection, _NOTED[after], name, now)


def _rotate(connection: Connection, name: str, now: float) -> None:
    if _is_revoked(connection, name):
        hint = f"bottega clients resume {name} lets it in again, with a new login"
        raise Refused("wrong_state", f"the client {name} is revoked", path="$.client_id", hint=hint)
    if name == LOCAL_CLIENT:
        _add(connection, CreateClient(client_id=name), now)  # it has a login before its first command
    if client_row(connection, name) is None:
        raise _unknown_client_refusal(name)
    note(connection, "client_rotated", name, now)


def _revoke(connection: Connection, name: str, now: float) -> None:
    if name == LOCAL_CLIENT:
        hint = f"bottega clients suspend {name} lets it begin nothing more"
        raise Refused("wrong_state", f"the client {name} is the terminal's own", path="$.client_id", hint=hint)
    _change_state(connection, name, [ClientState.ACTIVE, ClientState.SUSPENDED], ClientState.REVOKED, now)


def _is_revoked(connection: Connection, name: str) -> bool:
    row = client_row(connection, name)
    return row is not None and row["state"] == ClientState.REVOKED


def _body(connection: Connection, client: str) -> ClientBody:
    row = client_row(connection, client)
    if row is None:
        raise _unknown_client_refusal(client)
    return _bodies(connection, [row])[0]


def _add(connection: Connection, command: CreateClient, now: float) -> bool:
    """Make the row of a client; false where there is one."""
    values = {
        "client_id": command.client_id,
        "state": ClientState.ACTIVE,
        "limit_micros": micros(command.limit.amount) if command.limit else None,
        "held_micros": 0,
        "spent_micros": 0,
        "weight": command.weight,
        "max_in_flight": command.max_in_flight,
        "created_at": now,
        "updated_at": now,
    }
    return connection.execute(_ADD, values).rowcount == 1


def _bodies(connection: Connection, rows: Sequence[RowMapping]) -> list[ClientBody]:
    pictures = dict.fromkeys((row["client_id"] for row in rows), 0)
    of_these = sa.select(batches.c.client_id, batches.c.tally).where(batches.c.client_id.in_(list(pictures)))
    for client, tally in connection.execute(of_these):
        pictures[client] += _tally_decoder.decode(tally).completed
    return [
        ClientBody(
            client_id=row["client_id"],
            state=row["state"],
            limit=None if row["limit_micros"] is None else dollars(row["limit_micros"]),
            spent=dollars(row["spent_micros"]),
            held=dollars(row["held_micros"]),
            weight=row["weight"],
            max_in_flight=row["max_in_flight"],
            pictures=pictures[row["client_id"]],
            created_at=datetime.fromtimestamp(row["created_at"], UTC).isoformat(timespec="seconds"),
        )
        for row in rows
    ]


def _unknown_client_refusal(client: str) -> Refused:
    return Refused(
        "unknown_client", f"there is no client {client}", path="$.client_id", hint="see bottega clients list"
    )
