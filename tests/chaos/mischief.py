"""A client who means ill, beside the others in every campaign: what it says is refused, and costs it alone."""

import contextlib
from collections import Counter

from nats.errors import Error as NatsError

from bus.connection import connect
from protocol.errors import Unavailable
from tests.chaos.workshop import Workshop

MISCHIEF = "mallory"
"""The client's id."""

_COMMANDS = (b"{}", b"\xff\xfe", b"[" * 2000, b'{"cmd": "LIST"}', b'{"cmd": "STATUS", "hash": "gen_batch_0"}', b"")
_ELSEWHERE = (
    "acp.v1.command.anna",
    "acp.v1.work.qa.gen_batch_x.0.1",
    "acp.v1.event.anna.gen_batch_x.stored",
    "acp.v1.status.anna.gen_batch_x",
    "acp.v1.control.generator",
    "acp.v1.operator",
    "$JS.API.STREAM.PURGE.ACP_WORK",
    "$JS.API.CONSUMER.CREATE.ACP_EVENTS.planner.acp.v1.event.>",
    "$KV.acp_presence.generator.x",
)


async def misbehave(shop: Workshop, done: Counter[str]) -> None:
    """Say what must not be said, and too much of what may, until cancelled."""
    while True:
        with contextlib.suppress(NatsError, Unavailable, OSError, TimeoutError):
            connection = await connect(shop.server.address(f"client_{MISCHIEF}"), name=MISCHIEF, wait_s=5)
            try:
                while connection.client.is_connected:
                    for target in _ELSEWHERE:
                        await connection.client.publish(target, b"{}")
                        for command in _COMMANDS:
                            await connection.client.publish(f"acp.v1.command.{MISCHIEF}", command, reply=target)
                            done["mischief"] += 1
                    await shop.moment()
            finally:
                await connection.close()
        await shop.moment()
