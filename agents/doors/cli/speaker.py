"""Who speaks: the client that a command is of, by what the login of a URL may say. Pure module."""

from agents.doors.cli.errors import Failure, bad_input
from bus.accounts import CLIENT_PREFIX, LOCAL_CLIENT, client_of_login
from protocol.ids import is_id


def client_of_command(user: str | None, wanted: str | None) -> str:
    """The client as which a command is sent with the login `user`; `wanted` is what --client or BOTTEGA_CLIENT says.

    Raises:
        Failure: no client can have that name, or the login is another client's, which speaks for nobody else.
    """
    if wanted is not None and not is_id(wanted):
        raise bad_input(
            f"{wanted!r} names no client", hint="name one client; everyone's batches: bottega list --client all"
        )
    own = None if user is None else client_of_login(user)
    if own is None:
        return wanted or LOCAL_CLIENT
    if wanted not in (None, own):
        raise bad_input(
            f"BOTTEGA_NATS_URL is the login of the client {own}, which cannot speak as {wanted}",
            hint=f"leave --client and BOTTEGA_CLIENT out, or take the URL that {wanted} was given",
            code="client_mismatch",
        )
    return own


def needs_operator(user: str | None, home: str) -> Failure | None:
    """Why a login may not do what is the operator's; null where it may."""
    if user is None or not (user.startswith(CLIENT_PREFIX) or user == "gateway"):
        return None
    whose = "a gateway" if user == "gateway" else f"the client {user.removeprefix(CLIENT_PREFIX)}"
    return bad_input(
        f"BOTTEGA_NATS_URL is the login of {whose}; this is for the operator of the workshop",
        hint="on the workshop's own machine leave BOTTEGA_NATS_URL out; elsewhere give the URL the login operator, "
        f"whose password lies there in {home}",
        code="client_mismatch",
    )


def file_refusal(user: str | None) -> Failure | None:
    """Why files cannot be brought with a login; null where they can. They lie in the blob store of the workshop's own
    machine, and whose they are is said by its operator."""
    if needs_operator(user, "") is None:
        return None
    return bad_input(
        "with the login of a client or a gateway no file can be brought",
        hint="name a picture of this client by its id, as bottega result shows it; or have the operator of the "
        "workshop run this with --client and the file",
        code="client_mismatch",
    )
