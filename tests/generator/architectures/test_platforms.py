# pyright: basic, reportPrivateImportUsage=false
"""Each platform draws over a real broker, with a tiny random model of its real classes; flow models with each of their
samplers."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.orders.order import order_of
from agents.generator.registry import registry, samplers
from agents.generator.registry.entries import scheduler_of
from agents.shared.settings import Settings
from bus.connection import Address, connect
from bus.local_blobs import LocalBlobs
from bus.server import EmbeddedServer
from protocol import codec, subjects
from protocol.messages import GenerateImage, ImageGenerated, Job
from tests.generator.engines.test_diffusers_engine import made
from tests.generator.platforms import PLATFORMS, install
from tests.generator.served.test_served import heard, served


@pytest.mark.slow
async def test_every_platform_makes_a_picture_over_the_bus(
    workshop_server: EmbeddedServer, login: Callable[[str], Address], tmp_path: Path, job: Callable[..., Job]
):
    home = tmp_path / "home"
    jobs = []
    for index, platform in enumerate(PLATFORMS):
        name = install(home / "models", platform)
        entry = registry.load(home / "models", home / "loras", home / "models.toml").models[name]
        jobs.append(
            job(
                index=index,
                image_id=f"gen_batch_1_{index:06d}",
                platform=platform,
                model=name,
                sampler=entry.sampler,
                guidance=entry.guidance,
                steps=2,
            )
        )
    settings = Settings(home=home, device="cpu", torch_threads=1, generator_slots=4)
    async with asyncio.timeout(55):
        admin = await connect(workshop_server.address("admin"), name="tests", wait_s=5)
        said = await heard(admin, subjects.EVENTS)
        async with served(settings, login("generator")):
            for wanted in jobs:
                payload, headers = codec.pack(GenerateImage(job=wanted))
                await admin.client.jetstream().publish(
                    subjects.subject_of(GenerateImage(job=wanted)), payload, headers=headers
                )
            events = [await said.get() for _ in jobs]
        await admin.close()
    blobs = LocalBlobs(settings.blobs)
    pictures = {event.ref.index: event.picture for event in events if isinstance(event, ImageGenerated)}
    assert {jobs[index].platform: (made.width, made.height) for index, made in pictures.items()} == dict.fromkeys(
        PLATFORMS, (64, 64)
    )
    assert len({made.blob for made in pictures.values()}) == len(PLATFORMS)
    for made_one in pictures.values():
        assert await blobs.get(made_one.blob)


@pytest.mark.parametrize("platform", ["stable_diffusion_3_5", "flux_1_dev", "flux_1_schnell"])
async def test_each_sampler_of_a_flow_model_makes_a_picture_of_its_own(
    platform: str, tmp_path: Path, job: Callable[..., Job]
):
    name = install(tmp_path / "models", platform)
    entries = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    architecture = entries.models[name].architecture
    names = [sampler.name for sampler in samplers.SAMPLERS if scheduler_of(sampler, architecture)]
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    drawn = {}
    async with engine.open():
        for sampler in names:
            asked = job(platform=platform, model=name, sampler=sampler, guidance=entries.models[name].guidance, steps=6)
            drawn[sampler] = (await made(engine, order_of(asked, entries))).data
    assert len(set(drawn.values())) == len(names) >= 3
