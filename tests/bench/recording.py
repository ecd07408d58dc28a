"""Messages as a workshop sends them: recorded while it makes pictures of varied commands with the pocket model."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.msg import Msg

from agents.shared.settings import Settings
from agents.shared.supervisor.supervise import run_workshop
from bus import topology
from bus.client import Client
from bus.connection import connect
from bus.server import EmbeddedServer
from protocol import codec
from protocol.plans import GenerationPlan

COMMANDS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("local", {"brief": "a magenta mug on a teal background", "requirements": {"quantity": 6}}),
    ("local", {"brief": "a yellow umbrella in a puddle", "style": "cinematic", "seed": 4711}),
    ("atelier_9", {"brief": "harbour cranes before sunrise, long exposure", "style": "watercolour", "steps": 12}),
    ("atelier_9", {"brief": "an orange bottle", "style": "product_photography", "metadata": {"sku": "B-1204"}}),
    ("local", {"prompts": ["a blue ball left of a red cube", "a green cube"], "negative_prompt": "shadow"}),
    ("lea", {"brief": "a white lamp", "sweep": {"values": {"steps": [8, 14], "guidance": [2.0, 4.5]}}}),
    ("lea", {"brief": "a red car", "loras": [{"name": "neon", "weight": 0.7}], "priority": "interactive"}),
    (
        "local",
        {
            "brief": "a grey wall",
            "regions": [
                {"prompt": "a red apple", "box": [0, 0, 0.5, 1]},
                {"prompt": "a blue star", "box": [0.5, 0, 0.5, 1], "weight": 0.9},
            ],
        },
    ),
    ("lea", {"brief": "a purple chair", "post": [{"op": "upscale", "scale": 2.0}, {"op": "colour_correct"}]}),
    ("local", {"brief": "three trees in fog", "style": "line_art", "determinism": "strict", "section": "opener"}),
)
"""Who asks, and for what, beside the platform; two pictures where no quantity is named. The dictionary was
trained on other words, names and numbers (`protocol.dictionary_samples`)."""

Recorded = dict[str, list[bytes]]
"""Tag of a message, or first key of a reply -> JSON of each."""


def record() -> Recorded:
    """The messages of one run: commands, statuses, work, events and all else that is said on `acp.v1`."""
    return asyncio.run(_record())


async def _record() -> Recorded:
    recorded: Recorded = {}

    async def keep(message: Msg) -> None:
        data = codec.unpack(message.data, message.headers)
        tags = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        tag = next((msgspec.json.decode(tags[name], type=str) for name in ("type", "cmd") if name in tags), None)
        recorded.setdefault(tag or next(iter(tags)), []).append(data)

    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServer(Path(folder)) as server:
            admin = await connect(server.address("admin"), name="bench")
            await topology.apply_topology(admin)
            await admin.subscribe("acp.v1.>", keep)
            settings = Settings(home=Path(folder) / "home", nats_url=server.address("admin").url_with_credentials)
            async with run_workshop(settings, lambda notice: None) as workshop, Client.open(workshop.client) as client:
                await workshop.wait_until_ready()
                for who, command in COMMANDS:
                    await _batch(client, who, {"requirements": {"quantity": 2}, **command})
            await admin.close()
    return recorded


async def _batch(client: Client, who: str, command: Mapping[str, Any]) -> None:
    asked = {"cmd": "GENERATE_IMAGES", "platform": "pocket", **command}
    if "sweep" in asked or "prompts" in asked:
        del asked["requirements"]
    plan = await client.request(codec.decode_command(msgspec.json.encode(asked)), client_id=who)
    assert isinstance(plan, GenerationPlan), plan
    assert plan.hash is not None, plan
    async for status in client.watch_status(who, plan.hash):
        if not status.generation_status.queued + status.generation_status.processing:
            return
