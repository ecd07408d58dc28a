"""What large pictures of one client cost another: `python -m tests.bench.large_pictures`.

Eight pictures of 31 megapixels in 122 KB each are sent at once, by one client and then by eight; beside them another
client asks for its batches all the time. Prints the other's latency, the planner's memory, and that of its children.
"""

import argparse
import asyncio
import io
import statistics
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from PIL import Image

from agents.shared.supervisor.supervise import run_workshop
from bus.client import Client
from bus.credentials import outside_address
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages, List, Requirements
from protocol.plans import GenerationPlan
from protocol.replies import BatchList
from tests.bench.floods import format_times, mib
from tests.workshop import bring, instant_settings

PICTURES = 8
SIDE = 5600
PAUSE_S = 0.01


async def measure(rounds: int) -> None:
    """Print what eight pictures at once cost."""
    with tempfile.TemporaryDirectory() as folder:
        settings = instant_settings(Path(folder))
        async with run_workshop(settings, lambda notice: None) as workshop:
            await workshop.wait_until_ready()
            pids = {presence.role: presence.pid for presence in await workshop.presences()}
            print(pids)


def _make_picture(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (SIDE, SIDE), (shade, 40, 90, 255)).save(file, "PNG")
    return file.getvalue()
