"""Every place where a process reads bytes from the bus, derived from the channels: what is read there, and how. A new
channel, or a new message of one, is here by itself."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from nats.aio.msg import Msg

from agents.planner.planning.capabilities import merge_presences
from bus.consumers import refuse_foreign
from bus.dead_letters import _dead_letter_of  # pyright: ignore[reportPrivateUsage] - what the operator's login reads
from bus.service import refuse_expired
from protocol import codec, subjects
from protocol.channel import Channel
from protocol.channels import CHANNELS, DEAD
from protocol.commands import NOT_BUILT_FIELDS, Command, GenerateImages
from protocol.components import members
from protocol.consumers import Consumers, PutConsumer
from protocol.drafts import Drafts
from protocol.errors import AcpError
from protocol.flat_jobs import KnownMessage
from protocol.messages import ROLES, Event, Presence, Progress, Work
from protocol.operator import OperatorCommand
from protocol.replies import Reply
from protocol.reuse import Reuse
from protocol.spending import Spending
from tests.fuzz.json_places import Sample, sample_of
from tests.fuzz.mutations import Payload
from tests.protocol.frames import FILES, kind_of

Json = dict[str, Any]
Decoder = Callable[[bytes], msgspec.Struct]

_DECODERS: tuple[tuple[Any, Decoder], ...] = (
    (Command, codec.decode_command),
    (OperatorCommand, codec.decode_operator_command),
    (Reply, codec.decode_reply),
    (Presence, codec.decode_presence),
    (KnownMessage, codec.decode_message),
    (Spending, codec.decode_spending),
    (Reuse, codec.decode_reuse),
    (Drafts, codec.decode_drafts),
    (Consumers, codec.decode_consumers),
)
"""A type that travels, or a union of them -> how it is decoded; the narrower first."""

NOT_BUILT = {*NOT_BUILT_FIELDS[GenerateImages], "export"}
VARIANTS = 8
"""Orders that are made of one valid one, each with some of its fields."""

MAX_ERROR_BYTES = 4096
"""Of one error, as a reply."""


class Unsound(Exception):
    """A payload got what nobody should get."""


@dataclass(frozen=True)
class Door:
    """One channel as its receiver reads it. `frames` are valid messages."""

    name: str
    decode: Decoder
    frames: tuple[Json, ...]
    asks: bool = False

    def samples(self, dice: random.Random, fixed: Json | None = None) -> list[Sample]:
        """Valid messages; of an order many, since few have all fields. Fields that are `fixed` stay as they are."""
        return [sample_of(frame, fixed or ()) for frame in self._frames_of(dice, fixed or {})]

    def _frames_of(self, dice: random.Random, fixed: Json) -> Iterator[Json]:
        for frame in self.frames:
            if frame.get("cmd") != "GENERATE_IMAGES":
                yield {name: value for name, value in frame.items() if name != "client_id"} if fixed else frame
                continue
            for _ in range(VARIANTS):
                built = {name: value for name, value in frame.items() if name not in NOT_BUILT or dice.random() < 0.02}
                some = {name: value for name, value in built.items() if name == "cmd" or dice.random() < 0.4}
                some.pop("client_id", None)
                some["respond_format"] = dice.choice(("GENERATION_PLAN", "GENERATION_STATUS"))
                some["requirements"] = {"quantity": dice.randint(1, 3)}
                yield some | fixed

    def read(self, payload: Payload) -> msgspec.Struct | None:
        """What the receiver makes of a payload; null where it refuses it.

        Raises:
            Unsound: what was accepted does not survive its own encoding, or an error is as large as an attack.
            Exception: any that is no typed refusal.
        """
        try:
            if self.asks:
                refuse_expired(payload.headers, 0.0, 0.0)
            message = self.decode(codec.unpack(payload.data, payload.headers))
            _use(message)
        except AcpError as error:
            if len(codec.encode(error.body)) > MAX_ERROR_BYTES:
                raise Unsound(f"an error of more than {MAX_ERROR_BYTES} bytes") from error
            return None
        if self.decode(codec.encode(message)) != message:
            raise Unsound("the message changed when it was encoded again")
        return message


def _use(message: msgspec.Struct) -> None:
    """What a receiver does with a message before it acts on it."""
    match message:
        case Presence():
            merge_presences([message])
        case PutConsumer():
            for role in ROLES:
                refuse_foreign(role, message)
        case Progress():
            subjects.subject_of(message)
        case _ if isinstance(message, _ROUTED):
            routed = cast("Work | Event", message)
            subjects.message_id(routed)
            subjects.batch_of(routed)
            subjects.client_of(routed)
        case _:
            pass


_ROUTED = (*members(Work), *members(Event))


def read_dead_letter(headers: Mapping[str, str], data: bytes) -> None:
    """What the operator makes of a message that a role gave up, or says that it did."""
    kept = {"Nats-Sequence": "1", "Nats-Subject": "acp.v1.dead.qa", "Nats-Time-Stamp": "2026-01-01T00:00:00Z"}
    message = Msg(cast("Any", None), "acp.v1.dead.qa", "", data, {**headers, **kept})
    _ = _dead_letter_of(message).content


def decoder_of(channel: Channel) -> Decoder:
    """How the receivers of a channel decode what comes.

    Raises:
        LookupError: nobody here knows.
    """
    for union, decode in _DECODERS:
        if set(channel.messages) <= set(members(union)):
            return decode
    raise LookupError(f"no decoder is known for the channel {channel.name}")


def _frames_of(channel: Channel) -> tuple[Json, ...]:
    return tuple(json.loads(file.read_bytes()) for file in FILES if kind_of(file) in channel.messages)


DOORS: tuple[Door, ...] = tuple(
    Door(channel.name, decoder_of(channel), _frames_of(channel), channel.reply is not None)
    for channel in CHANNELS
    if channel is not DEAD
)
"""Every channel whose messages have types; dead letters have the bytes of any."""
