"""What a supervisor says: one line per event."""

from dataclasses import dataclass
from typing import Literal

from protocol.messages import Role

Unit = Role | Literal["nats", "workshop"]
What = Literal["started", "ready", "died", "restarting", "draining", "killed", "stopped"]


@dataclass(frozen=True)
class Notice:
    """Something happened to a unit of the workshop."""

    unit: Unit
    what: What
    detail: str = ""


def sentence(notice: Notice) -> str:
    """`generator  died        exit code -9`."""
    return f"{notice.unit:<10} {notice.what:<11}{notice.detail}".rstrip()
