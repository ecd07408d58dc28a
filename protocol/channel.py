"""What a channel is, and who may speak on one. Pure module."""

from dataclasses import dataclass
from typing import Literal

import msgspec

from protocol.messages import Role

Party = Role | Literal["client", "gateway", "operator", "supervisor"]
"""Who speaks. A gateway speaks for any client, such as a door for programs of many users; so may the operator."""

CLIENTS: tuple[Party, ...] = ("client", "gateway", "operator")
"""Who sends the commands of clients, and reads what they are told."""


@dataclass(frozen=True)
class Channel:
    """What is said on a subject, and who says and hears it.

    `address` is the subject with `{parameters}`, and `pattern` the NATS pattern that rights and consumers name: it
    covers the address. `{role}` in a pattern is a role of the workshop. Both are null for a channel of replies, which
    go to the inbox of whoever asked; `reply` is the channel of the replies to this one. `stream` keeps what is said,
    if any does.

    `dictionary`: its messages may be compressed with the dictionary of `protocol.dictionary`. Only where agents alone
    may listen, and where it makes them smaller.
    """

    name: str
    address: str | None
    pattern: str | None
    description: str
    messages: tuple[type[msgspec.Struct], ...]
    senders: tuple[Party, ...]
    receivers: tuple[Party, ...]
    stream: str | None = None
    reply: "Channel | None" = None
    dictionary: bool = False
