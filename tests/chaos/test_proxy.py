"""The proxy does to a connection what the network does in a bad hour."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from bus.connection import Address
from tests.chaos.proxy import Proxy, Trouble, proxied


@asynccontextmanager
async def echo() -> AsyncGenerator[str]:
    """The URL of a server that says each line back."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def call(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def test_what_is_said_passes_both_ways() -> None:
    async with asyncio.timeout(20), echo() as url, proxied(url) as proxy:
        reader, writer = await call(proxy)
        writer.write(b"one\ntwo\n")
        assert (await reader.readline(), await reader.readline()) == (b"one\n", b"two\n")
        writer.close()


async def test_a_cut_ends_what_is_open_and_refuses_what_comes_until_it_is_mended() -> None:
    async with asyncio.timeout(20), echo() as url, proxied(url) as proxy:
        reader, writer = await call(proxy)
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"
        proxy.disturb("cut")
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
        refused, writer = await call(proxy)
        assert await refused.read() == b""
        writer.close()
        proxy.mend()
        reader, writer = await call(proxy)
        writer.write(b"two\n")
        assert await reader.readline() == b"two\n"
        writer.close()


@pytest.mark.parametrize("trouble", ["hole", "deaf"])
async def test_a_black_hole_holds_back_until_it_is_mended(trouble: Trouble) -> None:
    async with asyncio.timeout(20), echo() as url, proxied(url) as proxy:
        reader, writer = await call(proxy)
        proxy.disturb(trouble)
        writer.write(b"one\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readline()
        proxy.mend()
        assert await reader.readline() == b"one\n"
        writer.close()


async def test_a_slow_line_delays() -> None:
    async with asyncio.timeout(20), echo() as url, proxied(url) as proxy:
        reader, writer = await call(proxy)
        loop = asyncio.get_running_loop()
        proxy.disturb("slow", 0.15)
        began = loop.time()
        writer.write(b"one\n")
        assert await reader.readline() == b"one\n"
        assert loop.time() - began >= 0.3
        writer.close()


async def test_a_login_goes_by_way_of_the_proxy() -> None:
    async with echo() as url, proxied(url) as proxy:
        assert proxy.address(Address(url, "qa", "secret")) == Address(f"nats://127.0.0.1:{proxy.port}", "qa", "secret")
