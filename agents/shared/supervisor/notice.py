"""What a supervisor says: one line per event."""

from dataclasses import dataclass
from typing import Literal

from protocol.messages import Role

Unit = Role | Literal["nats", "workshop"]
What = Literal["started", "ready", "died", "draining", "killed", "stopped"]


@dataclass(frozen=True)
class Notice:
    """Something happened to a unit of the workshop."""

    unit: Unit
    what: What
    detail: str = ""
