"""What large pictures of one client cost another: `python -m tests.bench.large_pictures`.

Eight pictures of 31 megapixels in 122 KB each are sent at once, by one client and then by eight; beside them another
client asks for its batches all the time. Prints the other's latency, the planner's memory, and that of its children.
"""

import argparse
import asyncio
import io
import tempfile
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from PIL import Image

from agents.shared.supervisor.supervise import run_workshop
from bus.client import Client
from bus.credentials import outside_address
from bus.local_blobs import LocalBlobs
from bus.operator import Operator
from protocol.accounts import ClientReply
from protocol.commands import GenerateImages, List, Requirements
from protocol.operator import CreateClient
from protocol.parameters import ImageSource
from protocol.plans import GenerationPlan
from protocol.results import BatchList
from tests.bench.floods import format_times, mib
from tests.workshop import bring, instant_settings

PICTURES = 8
SIDE = 5600
PAUSE_S = 0.01


async def measure(rounds: int) -> None:
    """Print what eight pictures at once cost, `rounds` times."""
    with tempfile.TemporaryDirectory() as folder:
        settings = instant_settings(Path(folder))
        async with run_workshop(settings, lambda notice: None) as workshop, AsyncExitStack() as opened:
            await workshop.wait_until_ready()
            planner = next(presence.pid for presence in await workshop.presences() if presence.role == "planner")
            logins = {
                login: outside_address(workshop.client.url, settings.nats_folder, login)
                for login in ("gateway", "operator")
            }
            names = [f"large{number}" for number in range(PICTURES)]
            clients = [
                await opened.enter_async_context(Client.open(logins["gateway"], client_id=name)) for name in names
            ]
            other = await opened.enter_async_context(Client.open(logins["gateway"], client_id="other"))
            async with Operator.open(logins["operator"]) as operator:
                for name in names:
                    assert isinstance(await operator.request(CreateClient(client_id=name)), ClientReply)
            print(f"alone: {format_times(await _list_batches(other, asyncio.sleep(3)))}; {_memory(planner)}")
            data = _make_picture()
            for _ in range(rounds):
                for senders in (1, PICTURES):
                    orders: list[Coroutine[Any, Any, float]] = []
                    for place in range(PICTURES):
                        name = names[place % senders]
                        source = await bring(logins["operator"], LocalBlobs(settings.blobs), data, name)
                        orders.append(_plan(clients[place % senders], source))
                    taken: list[float] = []
                    times = await _list_batches(other, _wait_for(orders, taken))
                    print(
                        f"{PICTURES} pictures of {senders} client(s): answered in {min(taken):.1f} to "
                        f"{max(taken):.1f} s; other {format_times(times)}; {_memory(planner)}",
                        flush=True,
                    )


async def _wait_for(orders: Sequence[Coroutine[Any, Any, float]], taken: list[float]) -> None:
    taken += await asyncio.gather(*orders)


async def _plan(client: Client, source: ImageSource) -> float:
    """Seconds until a picture was looked at and the plan with it was answered."""
    began = time.perf_counter()
    command = GenerateImages(
        brief="a mug", hold=True, platform="pocket", init_image=source, requirements=Requirements(quantity=1)
    )
    answer = await client.request(command, timeout=120)
    assert isinstance(answer, GenerationPlan), answer
    return time.perf_counter() - began


async def _list_batches(client: Client, meanwhile: Coroutine[Any, Any, None]) -> list[float]:
    """Seconds of each list that was asked for while something else went on."""
    times: list[float] = []
    running = asyncio.create_task(meanwhile)
    while not running.done():
        began = time.perf_counter()
        assert isinstance(await client.request(List(), timeout=60), BatchList)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_S)
    await running
    return times


def _memory(planner: int) -> str:
    children = [
        int(pid) for file in Path(f"/proc/{planner}/task").glob("*/children") for pid in file.read_text().split()
    ]
    peaks = ", ".join(str(mib(pid, "VmHWM")) for pid in children)
    return f"peak of the planner {mib(planner, 'VmHWM')} MiB, of its children {peaks or 'none'} MiB"


def _make_picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (SIDE, SIDE), (200, 40, 90, 255)).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(measure(parser.parse_args().rounds))
