# pyright: basic
"""The agent: what it reads and announces, and what it answers to a job, a cancel and a refusal."""

import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from PIL import Image

from agents.generator.agent import Generator, build
from agents.shared.settings import Settings
from bus.agent import Caller, Delivery
from bus.local_blobs import LocalBlobs
from protocol.errors import AcpError, DiskFull
from protocol.messages import (
    CancelBatch,
    GenerateImage,
    ImageGenerated,
    Job,
    JobCancelled,
    JobFailed,
    MakeContactSheet,
    Progress,
    ScoreImage,
    ref_of,
)
from protocol.reuse import RemadePicture, RemakePicture
from tests.generator.conftest import Listener
from tests.small_disk import small_disk

Jobs = Callable[..., Job]
ONCE = Delivery(subject="acp.v1.work.generate.stable_diffusion_1_5.gen_batch_1.0.1", delivered=1)


@pytest.fixture
def settings(home: Path) -> Settings:
    return Settings(home=home, device="cpu", torch_threads=1, gpu_price_per_hour=3.6)


@pytest.fixture
async def generator(settings: Settings, listener: Listener) -> AsyncIterator[Generator]:
    generator = build(settings)
    async with generator.running(listener):
        yield generator


async def test_a_job_becomes_a_picture_in_the_blob_store_and_work_for_qa(
    generator: Generator, job: Jobs, settings: Settings, listener: Listener
):
    async with asyncio.timeout(30):
        generated, score = await generator.handle(GenerateImage(job=job()), ONCE)
    assert isinstance(generated, ImageGenerated)
    assert isinstance(score, ScoreImage)
    assert generated.ref == ref_of(job())
    assert (score.job, score.picture) == (job(), generated.picture)
    picture = generated.picture
    data = await LocalBlobs(settings.blobs).get(picture.blob)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (picture.width, picture.height) == (64, 64)
    assert picture.size_bytes == len(data)
    assert (picture.model, picture.provider, picture.device) == ("tiny", "local", "cpu")
    assert picture.cost_micros == round(picture.seconds * 1000)
    assert [(said.step, said.steps) for said in listener.said if isinstance(said, Progress)] == [
        (step, 4) for step in range(4)
    ]


async def test_the_hash_of_weights_is_announced_as_pictures_name_it(generator: Generator, job: Jobs):
    announced = next(model.version for model in generator.presence("g").models if model.name == "tiny")
    generated, _ = await generator.handle(GenerateImage(job=job()), ONCE)
    assert isinstance(generated, ImageGenerated)
    assert announced == generated.picture.model_version


async def test_a_second_delivery_gives_the_same_picture(generator: Generator, job: Jobs):
    async with asyncio.timeout(30):
        first, _ = await generator.handle(GenerateImage(job=job()), ONCE)
        second, _ = await generator.handle(GenerateImage(job=job()), ONCE)
    assert isinstance(first, ImageGenerated)
    assert isinstance(second, ImageGenerated)
    assert first.picture.blob == second.picture.blob


async def test_a_picture_is_made_again_without_being_stored_and_on_its_own_device_alone(
    generator: Generator, job: Jobs, settings: Settings
):
    (endpoint,) = generator.endpoints()
    caller = Caller(endpoint.subject)

    async with asyncio.timeout(30):
        made = await endpoint.answer(RemakePicture(job=job(), device="cpu"), caller)
        assert not settings.blobs.exists() or not any(file.is_file() for file in settings.blobs.rglob("*"))
        generated, _ = await generator.handle(GenerateImage(job=job()), ONCE)

    assert isinstance(generated, ImageGenerated)
    assert made == RemadePicture(blob=generated.picture.blob)
    for wrong in (RemakePicture(job=job(), device="cuda:0"), made):
        with pytest.raises(AcpError):
            await endpoint.answer(wrong, caller)


async def test_a_cancelled_batch_is_dropped_in_mid_picture_and_from_the_queue(
    generator: Generator, job: Jobs, listener: Listener
):
    running = asyncio.create_task(generator.handle(GenerateImage(job=job(steps=150)), ONCE))
    queued = asyncio.create_task(generator.handle(GenerateImage(job=job(index=1, steps=150)), ONCE))
    other = asyncio.create_task(generator.handle(GenerateImage(job=job(hash="gen_batch_2")), ONCE))
    async with asyncio.timeout(30):
        await listener.spoken.wait()
        await generator.handle_control(CancelBatch(hash="gen_batch_1", client_id="local"))
        assert await running == [JobCancelled(ref=ref_of(job()))]
        assert await queued == [JobCancelled(ref=ref_of(job(index=1)))]
        assert isinstance((await other)[0], ImageGenerated)
    assert len([said for said in listener.said if said.ref.hash == "gen_batch_1"]) < 150


async def test_nothing_is_made_while_there_is_no_room_for_it(settings: Settings, listener: Listener, job: Jobs):
    with small_disk(settings.blobs, 512):
        generator = build(settings)
        async with generator.running(listener):
            with pytest.raises(DiskFull):
                await generator.handle(GenerateImage(job=job()), ONCE)
    assert listener.said == []


async def test_another_clients_cancel_does_not_touch_a_batch(generator: Generator, job: Jobs):
    await generator.handle_control(CancelBatch(hash="gen_batch_1", client_id="somebody_else"))
    async with asyncio.timeout(30):
        assert isinstance((await generator.handle(GenerateImage(job=job()), ONCE))[0], ImageGenerated)


async def test_a_model_that_is_not_here_is_refused_and_the_planner_hears_of_it(generator: Generator, job: Jobs):
    message = GenerateImage(job=job(model="base_sdxl"))
    with pytest.raises(AcpError) as refused:
        await generator.handle(message, ONCE)
    assert refused.value.code == "not_installed"
    said = await generator.give_up(message, refused.value)
    assert said == [JobFailed(ref=ref_of(message.job), stage="generator", error=refused.value.body)]


async def test_work_of_another_role_is_refused(generator: Generator):
    with pytest.raises(AcpError) as refused:
        await generator.handle(MakeContactSheet(hash="gen_batch_1", client_id="local"), ONCE)
    assert refused.value.code == "not_supported"


async def test_it_reads_the_queues_of_the_platforms_whose_models_it_has(generator: Generator):
    intakes = {intake.durable: intake for intake in generator.intakes()}
    assert "generate_stable_diffusion_1_5" in intakes
    assert "generate_stable_diffusion_xl" not in intakes
    intake = intakes["generate_stable_diffusion_1_5"]
    assert intake.stream == "ACP_WORK"
    assert intake.filter_subjects == ("acp.v1.work.generate.stable_diffusion_1_5.>",)


async def test_it_announces_its_models_with_the_speed_that_was_measured(generator: Generator, job: Jobs):
    before = {model.name: model for model in generator.presence("one").models}
    assert before["tiny"].seconds_per_image is None
    async with asyncio.timeout(30):
        generated, _ = await generator.handle(GenerateImage(job=job()), ONCE)
    presence = generator.presence("one")
    assert isinstance(generated, ImageGenerated)
    assert {model.name: model for model in presence.models}["tiny"].seconds_per_image == generated.picture.seconds
    assert (presence.role, presence.device) == ("generator", "cpu")
    assert "DPM++ 2M Karras" in presence.samplers
    assert {lora.name for lora in presence.loras} >= {"product_lora_v3", "glow"}


async def test_a_second_generator_on_the_device_is_told_who_holds_it(
    generator: Generator, settings: Settings, listener: Listener
):
    with pytest.raises(AcpError) as refused:
        async with build(settings).running(listener):
            pass
    assert refused.value.code == "wrong_state"


async def test_the_instant_generator_draws_any_model_at_once(home: Path, job: Jobs, listener: Listener):
    generator = build(Settings(home=home, generator="instant"))
    async with generator.running(listener):
        first, _ = await generator.handle(GenerateImage(job=job(model="flux_dev", sampler="Euler")), ONCE)
        other, _ = await generator.handle(GenerateImage(job=job(seed=8)), ONCE)
    assert isinstance(first, ImageGenerated)
    assert isinstance(other, ImageGenerated)
    assert first.picture.blob != other.picture.blob
    data = await LocalBlobs(home / "blobs").get(first.picture.blob)
    with Image.open(io.BytesIO(data)) as image:
        assert len(image.getcolors() or ()) == 1
    assert first.picture.versions == {}


ALONE = """
import sys
from agents.generator.agent import build
from agents.shared.settings import Settings
build(Settings(generator="instant")).presence("one")
print(sorted({"torch", "diffusers", "transformers"} & set(sys.modules)))
"""


async def test_the_instant_generator_needs_no_torch(home: Path):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ALONE,
        env={**os.environ, "BOTTEGA_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    assert said == b"[]\n"
