"""How a process of the workshop names itself to the others."""

import os
import socket
from datetime import UTC, datetime
from importlib.metadata import version

from protocol.messages import Presence, Role

STARTED_AT = datetime.now(UTC).isoformat(timespec="seconds")
"""When this process started, as nearly as it can tell."""

VERSION = version("bottega")
"""Read once, from a file."""


def base_presence(role: Role, instance: str, slots: int) -> Presence:
    """The part of a presence that is the same for every agent; an agent adds its capabilities with `replace`."""
    return Presence(
        role=role,
        instance=instance,
        pid=os.getpid(),
        host=socket.gethostname(),
        version=VERSION,
        started_at=STARTED_AT,
        slots=slots,
    )
