"""Streams and rights: applied again and again, and every login confined to its own, tried on the broker."""

import asyncio

from bus import topology
from bus.connection import Connection
from bus.server import EmbeddedServer
from protocol.channels import ACP_DEAD, ACP_EVENTS, ACP_STATUS, ACP_WORK, PRESENCE_STREAM
from tests.bus.scripted import admin_of, put, stored, write_prompts

STREAMS = {ACP_WORK, ACP_EVENTS, ACP_STATUS, ACP_DEAD, PRESENCE_STREAM}


async def stream_names(admin: Connection) -> set[str]:
    return set((await admin.request_api("STREAM.NAMES", {}))["streams"])


async def test_applying_twice_and_by_two_at_once_keeps_what_is_stored(nats_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(nats_server) as admin, admin_of(nats_server) as other:
        await asyncio.gather(topology.apply_topology(admin), topology.apply_topology(other))
        await put(admin, write_prompts())
        await topology.apply_topology(admin)
        assert await stream_names(admin) == STREAMS
        assert await stored(admin, ACP_WORK) == 1


async def test_a_changed_stream_is_updated_in_place(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin:
        await topology.apply_topology(admin, presence_ttl_s=3.0)
        config = (await admin.request_api(f"STREAM.INFO.{PRESENCE_STREAM}", {}))["config"]
    assert config["max_age"] == 3_000_000_000


async def test_streams_deleted_a_moment_ago_are_made_again(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(30), admin_of(workshop_server) as admin:
        for _ in range(10):
            for name in STREAMS:
                await admin.request_api(f"STREAM.DELETE.{name}", {})
            await topology.apply_topology(admin)
        assert await stream_names(admin) == STREAMS


async def test_whoever_maintains_the_streams_makes_them_again(workshop_server: EmbeddedServer) -> None:
    async with asyncio.timeout(20), admin_of(workshop_server) as admin, admin_of(workshop_server) as keeper:
        keeping = asyncio.ensure_future(topology.maintain_topology(keeper))
        try:
            await admin.request_api(f"STREAM.DELETE.{ACP_WORK}", {})
            while await stream_names(admin) != STREAMS:
                pass
        finally:
            keeping.cancel()
