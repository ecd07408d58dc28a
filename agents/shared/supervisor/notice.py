"""What a supervisor prints: one line per event."""

from dataclasses import dataclass
from typing import Literal

from protocol.messages import Role

UnitName = Role | Literal["nats", "workshop"]
NoticeKind = Literal["started", "ready", "died", "draining", "killed", "stopped", "full", "room", "stuck"]


@dataclass(frozen=True)
class Notice:
    """Something happened to a unit of the workshop."""

    unit: UnitName
    what: NoticeKind
    detail: str = ""
