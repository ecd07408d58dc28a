"""The golden frames: one file for each message as it travels, with every field set."""

import json
import typing
from pathlib import Path
from typing import Any

import msgspec

from protocol.commands import Command
from protocol.consumers import Consumers
from protocol.drafts import Drafts
from protocol.flat_jobs import KnownMessage
from protocol.operator import OperatorCommand
from protocol.replies import Reply
from protocol.reuse import Reuse
from protocol.schema import type_name
from protocol.spending import Spending

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))

KINDS: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind
    for union in (Command, OperatorCommand, Reply, KnownMessage, Spending, Reuse, Drafts, Consumers)
    for kind in typing.get_args(union)
}
"""Type name -> every type that travels by itself."""


def kind_of(file: Path) -> type[msgspec.Struct]:
    """The type of a frame, told by its tag or first key."""
    return KINDS[type_name(json.loads(file.read_bytes()))]


def decoded(file: Path) -> Any:
    """The message of a frame."""
    return msgspec.json.decode(file.read_bytes(), type=kind_of(file))


def all_messages() -> list[Any]:
    """The message of every frame."""
    return [decoded(file) for file in FILES]
