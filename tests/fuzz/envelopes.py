"""What a login of the broker may say, as hostile messages on their subjects; derived from the channels."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from bus.accounts import client_of_login
from protocol.channel import CLIENTS, Channel, Party
from protocol.channels import CHANNELS, DEAD
from protocol.messages import ROLES
from tests.fuzz.doors import DOORS, Door
from tests.fuzz.json_places import Sample
from tests.fuzz.mutations import Payload, mutated

_CLIENTS = ("fuzz-0", "fuzz-1", "local", "all", "ADMIN", "a" * 65)
_HASHES = ("gen_batch_42", "gen_batch_1", "none", "a" * 64)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload, where it goes, and whether an answer is waited for."""

    subject: str
    payload: Payload
    asks: bool
    channel: str

    @property
    def data(self) -> bytes:
        return self.payload.data

    @property
    def description(self) -> str:
        return f"{self.subject!r}, {self.payload.kind}, headers {self.payload.headers}"


def party_of(login: str) -> Party:
    """Who a login is."""
    if client_of_login(login) is not None:
        return "client"
    return next(party for party in (*ROLES, *CLIENTS) if party == login)


def channels_of(party: Party) -> list[tuple[Channel, Door]]:
    """What a party says, and how it is read."""
    doors = {door.name: door for door in DOORS}
    doors[DEAD.name] = doors["work_generate"]  # a role gives up what it could not do
    return [
        (channel, doors[channel.name])
        for channel in CHANNELS
        if party in channel.senders and channel.address is not None
    ]


def envelopes(login: str, dice: random.Random, count: int, first: int) -> Iterator[Envelope]:
    """Hostile messages of a login. `first` is the number of the first one: no two have the same place in the queue."""
    party, client = party_of(login), client_of_login(login)
    said = [(channel, _samples(door, dice)) for channel, door in channels_of(party)]
    for number in range(first, first + count):
        channel, samples = dice.choice(said)
        subject = _subject(channel, party, client, dice, number)
        yield Envelope(subject, mutated(dice.choice(samples), dice), channel.reply is not None, channel.name)


def _samples(door: Door, dice: random.Random) -> list[Sample]:
    """Valid messages that neither end a process nor begin a batch of a million pictures."""
    fixed = {"hold": True, "requirements": {"quantity": 2}} if door.name == "command" else None
    calm = Door(door.name, door.decode, tuple(one for one in door.frames if one.get("type") != "DRAIN"), door.asks)
    waiting = (one for one in calm.frames if one.get("cmd") == "RESULT")
    for one in waiting:
        one["wait_s"] = 0.0
    return calm.samples(dice, fixed)


def _subject(channel: Channel, party: Party, client: str | None, dice: random.Random, number: int) -> str:
    if channel.address is None:
        raise ValueError(f"the channel {channel.name} has no subject")
    own = party if channel.senders == ROLES else dice.choice(channel.receivers)
    values = {
        "client": client or dice.choice(_CLIENTS),
        "hash": dice.choice(_HASHES),
        "role": own,
        "platform": dice.choice(("pocket", "none")),
        "index": str(number),
        "attempt": str(dice.choice((1, 2))),
        "first": str(number),
        "instance": f"fuzz-{number % 4}",
    }
    return channel.address.format(**values)
