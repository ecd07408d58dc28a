"""The storage agent as a process on a real broker, killed with work in hand."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from agents.shared.settings import Settings
from agents.storage.catalogue import open_catalogue
from bus.connection import Address, Connection, connect
from bus.local_blobs import LocalBlobs
from protocol import codec, subjects
from protocol.messages import ImageStored, StoreImage
from tests.storage.making import png, store_image

PICTURES = 40

SERVE = """
import asyncio, json, sys
from pathlib import Path
from agents.shared.settings import Settings
from agents.storage.agent import build
from bus.connection import Address
from bus.runner import RunnerOptions, serve

settings = Settings(home=Path(sys.argv[1]))
asyncio.run(serve(build(settings), Address(**json.loads(sys.argv[2])), RunnerOptions(ack_wait_s=1.0)))
"""


@asynccontextmanager
async def storage_process(home: Path, address: Address) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A storage agent in a process of its own, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE, str(home), json.dumps(asdict(address))), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.slow
async def test_killed_with_pictures_in_hand_the_next_process_ends_with_each_file_and_row_once(
    tmp_path: Path, login: Callable[[str], Address]
) -> None:
    home = tmp_path / "home"
    settings = Settings(home=home)
    pictures = [png((index, 200 - index, 3 * index)) for index in range(PICTURES)]
    blobs = LocalBlobs(settings.blobs)
    messages = [store_image(data=data, index=index) for index, data in enumerate(pictures)]
    told: asyncio.Queue[ImageStored] = asyncio.Queue()
    admin = await connect(login("admin"), name="tests", wait_s=5)

    async def hear(message: Msg) -> None:
        event = codec.decode_message(codec.unpack(message.data, message.headers))
        assert isinstance(event, ImageStored)
        told.put_nowait(event)

    async with asyncio.timeout(50):
        for data in pictures:
            await blobs.put(data)
        await admin.subscribe(subjects.event_filter("stored"), hear)
        for message in messages:
            await publish(admin, message)
        async with storage_process(home, login("storage")) as dying:
            first = await told.get()
            dying.kill()
            assert await dying.wait() == -signal.SIGKILL
        seen = {first.ref.index: first}
        async with storage_process(home, login("storage")):
            while len(seen) < PICTURES:
                event = await told.get()
                assert seen.setdefault(event.ref.index, event) == event
        await admin.close()
        async with open_catalogue(settings.catalogue_url) as catalogue:
            rows = await catalogue.list_batch("local", "gen_batch_1", 1000)
    files = sorted(path for path in settings.pictures.rglob("*") if path.is_file())
    assert [row.index for row in rows] == list(range(PICTURES))
    assert [path for path in files if path.suffix == ".png"] == sorted(
        settings.pictures / (row.path or "") for row in rows
    )
    assert len(files) == 2 * PICTURES


async def publish(connection: Connection, message: StoreImage) -> None:
    payload, headers = codec.pack(message)
    js = connection.client.jetstream()  # pyright: ignore[reportUnknownMemberType]
    await js.publish(subjects.subject_of(message), payload, headers=headers)
