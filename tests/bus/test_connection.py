"""Addresses, and connections that are refused."""

import asyncio
import dataclasses

import pytest
from nats.aio.msg import Msg

from bus.connection import Address, connect
from bus.credentials import free_port
from bus.server import EmbeddedServer
from protocol.errors import Unavailable


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("nats://host:4222", Address("nats://host:4222")),
        ("nats://me:secret@host:4222", Address("nats://host:4222", "me", "secret")),
        ("nats://me:s%40%2Fcret@host:4222", Address("nats://host:4222", "me", "s@/cret")),
        ("tls://me@host", Address("tls://host", "me", None)),
    ],
)
def test_a_url_and_an_address_say_the_same(url: str, address: Address) -> None:
    assert Address.parse(url) == address
    assert address.url_with_credentials == url


def test_an_address_does_not_show_its_password() -> None:
    assert "secret" not in repr(Address("nats://host", "me", "secret"))


async def test_where_nobody_answers_it_says_so_in_time() -> None:
    address = Address(f"nats://127.0.0.1:{free_port()}")
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="no NATS server answers"):
            await connect(address, name="test", wait_s=0.5)


async def test_wrong_credentials_are_refused_at_once(nats_server: EmbeddedServer) -> None:
    wrong = dataclasses.replace(nats_server.address("operator"), password="wrong")
    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="refuses these credentials"):
            await connect(wrong, name="test", wait_s=60)


async def test_a_flush_that_was_given_up_leaves_the_connection_hearing(nats_server: EmbeddedServer) -> None:
    connection = await connect(nats_server.address("admin"), name="test", wait_s=5)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Msg) -> None:
        heard.put_nowait(message.data)

    async with asyncio.timeout(5):
        await connection.subscribe("news", hear)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await connection.client.flush()
            await connection.client.flush()
            await connection.client.publish("news", b"still here")
            assert await heard.get() == b"still here"
    await connection.close()


async def test_it_waits_for_a_server_that_comes_up(nats_server: EmbeddedServer) -> None:
    address = nats_server.address("operator")
    await nats_server.stop()
    async with asyncio.timeout(20):
        waiting = asyncio.ensure_future(connect(address, name="test", wait_s=15))
        await nats_server.start()
        connection = await waiting
        await connection.close()
