"""Hostile messages in this process: at the codec of every channel, and at the planner behind its door."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import cast

import msgspec

from bus.agent import Inbound
from bus.telemetry import configure_logging
from protocol import subjects
from protocol.channels import COMMAND, OPERATOR
from tests.fuzz.doors import DOORS, Door, read_dead_letter
from tests.fuzz.hostile_values import HOSTILE_TEXT
from tests.fuzz.json_places import Sample
from tests.fuzz.mutations import Payload, mutated
from tests.fuzz.planner_door import CLIENTS, PlannerDoor

COMMANDS_SHARE = 0.5
"""Of all messages: commands are what strangers send."""

PLANNER_LIFE = 60_000
"""Messages after which a planner is replaced by one with an empty ledger."""

DEAD_HEADERS = ("Acp-Dead-Subject", "Acp-Dead-Code", "Acp-Dead-Reason", "Acp-Dead-Origin", "Acp-Dead-Delivered")


@dataclass(frozen=True, slots=True)
class Message:
    """A payload on its way to a door; to that of dead letters where there is none. `subject` is where it came."""

    door: Door | None
    subject: str
    payload: Payload

    @property
    def data(self) -> bytes:
        return self.payload.data

    @property
    def description(self) -> str:
        where = self.door.name if self.door else "dead_letter"
        return f"{where} on {self.subject!r}, {self.payload.kind}, headers {self.payload.headers}"


class Messages:
    """The suite of messages."""

    name = "messages"
    target = 10_000_000
    slice = 1000
    short = 3

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._planner: PlannerDoor | None = None
        self._asked = 0

    def prepare(self) -> None:
        """Be quiet of what is refused."""
        configure_logging("fuzz", "critical")

    def end(self) -> None:
        """End the planner."""
        self._stack.close()
        self._planner = None

    def inputs(self, dice: random.Random) -> Iterator[Message]:
        """The messages of one slice."""
        samples: dict[str, list[Sample]] = {door.name: door.samples(dice) for door in DOORS}
        (commands,) = (door for door in DOORS if door.name == COMMAND.name)
        harmless = [*commands.samples(dice, {"hold": True}), *commands.samples(dice, {"dry_run": True})]
        for _ in range(self.slice):
            if dice.random() < COMMANDS_SHARE:
                chosen = harmless if dice.random() < 0.8 else samples[commands.name]
                client = dice.choice(CLIENTS[:9]) if dice.random() < 0.95 else dice.choice(CLIENTS)
                yield Message(commands, subjects.command(client), mutated(dice.choice(chosen), dice))
                continue
            door = dice.choice(DOORS)
            payload = mutated(dice.choice(samples[door.name]), dice)
            if dice.random() < 0.02:
                headers = {name: dice.choice(HOSTILE_TEXT) for name in DEAD_HEADERS if dice.random() < 0.5}
                dead = Payload(payload.data, payload.headers | headers, payload.kind)
                yield Message(None, "acp.v1.dead.qa", dead)
            else:
                yield Message(door, door.name, payload)

    def read(self, one: Message, counts: Counter[str]) -> None:
        """Let the door read it, and the planner decide on it where it is for the planner.

        Raises:
            Exception: it is no typed refusal.
        """
        if one.door is None:
            read_dead_letter(one.payload.headers, one.payload.data)
            counts["dead_letter"] += 1
            return
        decoded = one.door.read(one.payload)
        if decoded is None:
            counts["refused by the codec"] += 1
            return
        counts["accepted by the codec"] += 1
        if said := self._decide(one, one.door, decoded):
            counts[f"planner: {said}"] += 1

    def _decide(self, message: Message, door: Door, decoded: msgspec.Struct) -> str | None:
        if door.name == COMMAND.name:
            return self._renewed().ask(subjects.COMMANDS, message.subject, message.payload)
        if door.name == OPERATOR.name:
            return self._renewed().ask(subjects.OPERATOR, subjects.OPERATOR, message.payload)
        if door.name.startswith("ledger_"):
            return self._renewed().ask(subjects.LEDGER, "acp.v1.ledger.intent", message.payload)
        if door.name.startswith("event_") and isinstance(decoded, tuple(subjects.EVENT_KINDS)):
            return self._renewed().handle(cast("Inbound", decoded))
        return None

    def _renewed(self) -> PlannerDoor:
        if self._planner is None or self._asked >= PLANNER_LIFE:
            self._stack.close()
            self._planner, self._asked = self._stack.enter_context(PlannerDoor()), 0
        self._asked += 1
        return self._planner
