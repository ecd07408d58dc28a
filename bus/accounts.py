"""Logins of the broker and their rights, as data: every login is an account of its own. Pure module.

What an account may say beyond itself, and hear, are its imports, derived from `protocol.channels`. JetStream and the
agents answer with rights of their own to whatever reply subject the asker chose; across accounts such an answer arrives
in the account of the asker, and nowhere else. So a reply subject, or the deliver subject of a consumer, gives nobody
more than he has. The users' rights repeat the imports, so that who tries more is told so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from protocol import subjects
from protocol.channels import (
    ACP_DEAD,
    ACP_EVENTS,
    ACP_WORK,
    CHANNELS,
    CLIENTS,
    PRESENCE_STREAM,
    STREAM_SUBJECTS,
    Channel,
    Party,
)
from protocol.messages import ROLES, Role

BROKER = "ACP"
"""The account that owns the streams; the supervisor's login `admin` lives in it."""

CLIENT_PREFIX = "client_"

LOCAL_CLIENT = "local"
"""The client of the command line; its login is always there."""

INBOX = "_INBOX.>"
"""Where answers arrive: the default of every NATS client, private to each account."""

ACROSS = "_R_.>"
"""Where the answer to a question from another account is sent; the broker chooses the rest of it."""

MAX_ANSWER_TIME = "15m"
"""How long the broker keeps the way back of a question that is not answered yet."""

MAX_COMMAND_ANSWER_TIME = "1m"
"""The same for a command: what waits 10 s is not carried out, and a way back costs the broker 350 bytes, which a flood
must not hold for long."""

_SERVICE_VERBS = ("PING", "INFO", "STATS")
"""How micro-services are found and asked (ADR-32)."""

SERVICE = "$SRV.>"

_API = "$JS.API"
_NEXT = f"{_API}.CONSUMER.MSG.NEXT"
_GET = f"{_API}.DIRECT.GET"

_OTHER: Mapping[Party, tuple[str, ...]] = {
    "planner": (f"{_API}.STREAM.PURGE.{ACP_WORK}",),  # the queued work of a cancelled batch
    "operator": (
        f"{_API}.STREAM.MSG.DELETE.{ACP_DEAD}",
        subjects.WORK,  # dead letters, put back where they were
        subjects.EVENTS,
    ),
}
"""What a party asks of the streams beside channels, consumers and views."""

DURABLES: Mapping[tuple[str, Party], str] = {
    (ACP_EVENTS, "planner"): "planner",
    (ACP_WORK, "prompt"): "prompt",
    (ACP_WORK, "generator"): "generate_*",
    (ACP_WORK, "qa"): "qa",
    (ACP_WORK, "storage"): "storage",
}
"""Who takes messages from which stream, and the name of the durable consumer; a `*` at its end stands for a platform.
All other receivers only look."""


@dataclass(frozen=True)
class Import:
    """A subject of another account. A service is asked, and may answer; a stream is heard. `many`: a question has many
    answers."""

    account: str
    subject: str
    many: bool = False

    @property
    def local(self) -> str:
        """What it is called in the account that imports it. Every account without streams has a `$JS.API` of its own,
        which says just that; what is asked for messages alone, by NEXT and GET, it leaves to the import."""
        if self.subject.startswith(f"{_API}.") and not self.subject.startswith((_NEXT, _GET)):
            return subjects.BROKER_API + self.subject.removeprefix(_API)
        return self.subject


@dataclass(frozen=True)
class Login:
    """One identity on the broker. Subjects are NATS patterns. What `publish` allows, `deny` takes away again."""

    name: str
    account: str
    services: tuple[Import, ...] = ()
    streams: tuple[Import, ...] = ()
    publish: tuple[str, ...] = (">",)
    deny: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = (">",)


ADMIN = Login("admin", BROKER)
"""The supervisor's: it may do everything that the account of the streams can."""


def client_login(client: str) -> str:
    """The name of a client's login."""
    return CLIENT_PREFIX + client


def client_of_login(login: str) -> str | None:
    """Whose login it is; null for one that is no client's."""
    return login.removeprefix(CLIENT_PREFIX) if login.startswith(CLIENT_PREFIX) else None


def login_of(name: str) -> Login:
    """A login by its name.

    Raises:
        KeyError: there is none of that name.
    """
    client = client_of_login(name)
    return LOGINS[name] if client is None else _login_of(name, "client", client)


def account_of(party: Party) -> str:
    """Where a party lives."""
    return BROKER if party == "supervisor" else party


def _pattern(channel: Channel, party: Party, side: Sequence[Party], client: str | None = None) -> str:
    """What of a channel a party says or hears, being on that side of it: where every role is, each its own; a client
    its own."""
    if channel.pattern is None or channel.address is None:
        raise ValueError(f"the channel {channel.name} has no subject of its own")
    if client is not None:
        head, _, rest = channel.address.partition("{client}")
        return f"{head}{client}{'.>' if rest else ''}"
    return channel.pattern.replace("{role}", party if side == ROLES else "*")


def _services(party: Party, client: str | None) -> Iterator[Import]:
    """What a party may ask of other accounts."""
    for channel in CHANNELS:
        if channel.pattern is None or party not in channel.senders:
            continue
        if channel.stream is not None:
            yield Import(BROKER, _pattern(channel, party, channel.senders, client))
        elif channel.reply is not None:
            (receiver,) = channel.receivers
            yield Import(account_of(receiver), _pattern(channel, party, channel.senders, client))
    for stream in STREAM_SUBJECTS:
        if durable := DURABLES.get((stream, party)):
            yield from _consumer_services(stream, durable)
        elif stream in _viewed_streams(party):
            yield Import(BROKER, f"{_API}.STREAM.INFO.{stream}")
            yield Import(BROKER, f"{_GET}.{stream}", many=True)
    yield from (Import(BROKER, subject) for subject in _OTHER.get(party, ()))
    if party in CLIENTS:
        for role in ROLES:
            for verb in _SERVICE_VERBS:
                yield from (Import(role, f"$SRV.{verb}{rest}", many=True) for rest in ("", ".>"))


def _consumer_services(stream: str, durable: str) -> Iterator[Import]:
    """Rights to read one durable consumer. `$JS.ACK` has two forms, because nats-server 2.15 can put domain and account
    hash in front of the stream. A part of a token is no pattern: where a platform is in the name, all names are
    imported, and those of other roles denied to the user."""
    name = "*" if "*" in durable else durable
    yield Import(BROKER, f"{_API}.CONSUMER.INFO.{stream}.{name}")
    yield Import(BROKER, f"{_NEXT}.{stream}.{name}", many=True)
    yield Import(BROKER, f"$JS.ACK.{stream}.{name}.>")
    yield Import(BROKER, f"$JS.ACK.*.*.{stream}.{name}.>")


def _viewed_streams(party: Party) -> set[str]:
    """Streams whose messages a party looks at, without taking them."""
    seen: dict[Party, set[str]] = {
        "planner": {PRESENCE_STREAM},
        "qa": {ACP_EVENTS},
        "operator": {PRESENCE_STREAM, ACP_DEAD},
    }
    return seen.get(party, set())


def _incoming_channels(party: Party) -> Iterator[Channel]:
    """What a party hears of others: what no stream keeps, statuses, and what tells a view to look."""
    for channel in CHANNELS:
        heard = channel.stream is None or channel.name == "status" or channel.stream in _viewed_streams(party)
        if channel.pattern is not None and channel.reply is None and party in channel.receivers and heard:
            yield channel


def _streams(party: Party, client: str | None) -> Iterator[Import]:
    """The same as imports, each of the sender's account, also where a stream keeps it: no account exports as a stream
    what another one asked of it as a service."""
    for channel in _incoming_channels(party):
        for sender in channel.senders:
            if channel.senders == ROLES:
                subject = _pattern(channel, sender, channel.senders)
            else:
                subject = _pattern(channel, party, channel.receivers, client)
            if account_of(sender) != party:
                yield Import(account_of(sender), subject)


def _publish(party: Party, services: Sequence[Import]) -> Iterator[str]:
    """What the user of a party may publish: what it asks of others, what others hear of it, and its answers."""
    yield from (service.local for service in services)
    for channel in CHANNELS:
        if (
            channel.pattern is not None
            and channel.stream is None
            and channel.reply is None
            and party in channel.senders
        ):
            yield _pattern(channel, party, channel.senders)
    if party in ROLES:
        yield from (ACROSS, INBOX)


def _deny(party: Party) -> Iterator[str]:
    """Durable consumers of others that a wildcard would cover."""
    for (stream, owner), durable in DURABLES.items():
        if "*" in durable and owner == party:
            others = [name for (kept, other), name in DURABLES.items() if kept == stream and other != party]
            for name in others:
                yield from (service.local for service in _consumer_services(stream, name))


def _subscribe(party: Party, client: str | None) -> Iterator[str]:
    """Where the user of a party listens: its inbox, what it hears, what it answers."""
    yield INBOX
    for channel in _incoming_channels(party):
        yield _pattern(channel, party, channel.receivers, client)
    for channel in CHANNELS:
        if channel.pattern is not None and channel.reply is not None and party in channel.receivers:
            yield _pattern(channel, party, channel.receivers)
    if party in ROLES:
        yield SERVICE


def _login_of(name: str, party: Party, client: str | None = None) -> Login:
    """The login of a party, each right once."""
    services = tuple(dict.fromkeys(_services(party, client)))
    return Login(
        name=name,
        account=name,
        services=services,
        streams=tuple(dict.fromkeys(_streams(party, client))),
        publish=tuple(dict.fromkeys(_publish(party, services))),
        deny=tuple(dict.fromkeys(_deny(party))),
        subscribe=tuple(dict.fromkeys(_subscribe(party, client))),
    )


_PARTIES: tuple[Party, ...] = (*ROLES, "operator", "gateway")

LOGINS: Mapping[str, Login] = {"admin": ADMIN, **{party: _login_of(party, party) for party in _PARTIES}}
"""Every login but those of clients, by name."""


def may_answer(reply: str) -> bool:
    """Whether an answer may go to this subject. Whoever asks chooses it, and the answer is published with the rights of
    who answers: anywhere but in an inbox an asker of the same account would speak with another's voice."""
    return reply.startswith((ACROSS.removesuffix(">"), INBOX.removesuffix(">")))


FIXED_LOGINS = (*LOGINS, client_login(LOCAL_CLIENT))
"""Names of the logins that are there from the beginning."""


def durable_is_of(role: Role, stream: str, durable: str) -> bool:
    """Whether a role may have a durable consumer of this name."""
    known = DURABLES.get((stream, role))
    if known is None:
        return False
    head, star, _ = known.partition("*")
    return durable.startswith(head) and len(durable) > len(head) if star else durable == known


def server_accounts(passwords: Mapping[str, str]) -> dict[str, Any]:
    """The `accounts` of a nats-server configuration, for these logins."""
    logins = [login_of(name) for name in passwords]
    accounts: dict[str, Any] = {}
    for login in logins:
        account = accounts.setdefault(login.account, {"users": []})
        account["users"].append(_user(login, passwords[login.name]))
        if imports := [*_imports("service", login.services), *_imports("stream", login.streams)]:
            account["imports"] = imports
    accounts[BROKER]["jetstream"] = "enabled"
    for name in (BROKER, *ROLES):
        accounts[name]["exports"] = _exports(name)
    return accounts


def _user(login: Login, password: str) -> dict[str, Any]:
    publish = {"allow": [*login.publish], **({"deny": [*login.deny]} if login.deny else {})}
    rights = {"publish": publish, "subscribe": {"allow": [*login.subscribe]}}
    return {"user": login.name, "password": password, "permissions": rights}


def _imports(kind: str, wanted: Iterable[Import]) -> Iterator[dict[str, Any]]:
    for one in wanted:
        renamed = {"to": one.local} if one.local != one.subject else {}
        yield {kind: {"account": one.account, "subject": one.subject}, **renamed}


def _exports(account: str) -> list[dict[str, Any]]:
    """What an account lets others import: everything that one of the fixed logins, or a client, wants of it."""
    logins = LOGINS.values()
    services = {one.subject: one for login in logins for one in login.services if one.account == account}
    streams = {one.subject for login in logins for one in login.streams if one.account == account}
    return [
        *(
            {"service": subject, "response_type": "stream"}
            if one.many
            else {
                "service": subject,
                "response_threshold": MAX_COMMAND_ANSWER_TIME if subject == subjects.COMMANDS else MAX_ANSWER_TIME,
            }
            for subject, one in sorted(services.items())
        ),
        *({"stream": subject} for subject in sorted(streams)),
    ]
