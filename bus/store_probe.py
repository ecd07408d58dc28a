"""Whether the broker stores what is published, asked with a message that nobody sees: the end of a presence entry that
was never there."""

import contextlib

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from bus.connection import Connection
from bus.publisher import refusal_of
from protocol.channels import PRESENCE_PREFIX

PROBE_SUBJECT = f"{PRESENCE_PREFIX}.supervisor.probe"

PROBE_WAIT_S = 2.0
"""Longest wait for the acknowledgement."""


async def is_storing(connection: Connection, wait_s: float = PROBE_WAIT_S) -> bool | None:
    """Whether a message is stored; null where the broker itself does not answer, or refuses it for its limits. For a
    login that may publish everything."""
    if not connection.client.is_connected:
        return None
    try:
        answer = await connection.client.request(PROBE_SUBJECT, timeout=wait_s, headers={"KV-Operation": "DEL"})
    except NoRespondersError:
        return False
    except TimeoutError:
        return False if await _answers(connection, wait_s) else None
    except (NatsError, OSError):
        return None
    refusal = refusal_of(answer)
    return None if refusal and "maximum" in refusal else refusal is None


async def _answers(connection: Connection, wait_s: float) -> bool:
    """Whether the broker is there, whatever it does not store."""
    with contextlib.suppress(NatsError, TimeoutError, OSError):
        await connection.client.flush(int(wait_s) or 1)
        return connection.client.is_connected
    return False
