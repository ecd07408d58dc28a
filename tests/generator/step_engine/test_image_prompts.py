# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalMemberAccess=false
"""Pictures that are followed through IP-Adapters, in the step engine: the plain pipeline's bits alone, their own way in
company, and no trace in pictures without."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel
from PIL import Image
from transformers import CLIPVisionModelWithProjection

from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.images.placement import StartImage
from agents.generator.orders.ip_adapter_choice import IpAdapter
from agents.generator.orders.order import ControlModel, Order
from agents.generator.orders.post_stages import Refinement
from agents.generator.pipelines.ip_adapters import IpAdapters
from agents.generator.pipelines.mounting import MountGuard
from protocol.errors import AcpError
from protocol.messages import Prompt
from protocol.parameters import Region
from protocol.sources import ImagePrompt
from tests.generator import tiny_ip_adapter
from tests.generator.architectures.test_contract import drawn as plainly_drawn
from tests.generator.architectures.test_contract import orders as orders
from tests.generator.architectures.test_contract import rooms
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.step_engine.test_led import controls as controls
from tests.generator.step_engine.test_led import noise

Follow = Callable[..., Order]
FOLLOWING = ("stable_diffusion_1_5", "stable_diffusion_xl")
STYLE = "up_blocks.0.attentions.1"
PROMPT = Prompt(text="a red mug", negative="blue")


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[DiffusersEngine]:
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        yield engine


@pytest.fixture
def follow(tmp_path: Path) -> Follow:
    """An order that follows pictures, each by its seed, as groups of (pictures, weight, layers)."""

    def make(wanted: Order, *groups: tuple[Sequence[int], float, str], name: str = "plain") -> Order:
        folder = tmp_path / "ip_adapters" / wanted.model.name / name
        if not folder.exists():
            plain = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, local_files_only=True)
            tiny_ip_adapter.install(folder, plain.unet, patches=name == "plus")
        prompts, adapters = [], []
        for seeds, weight, layers in groups:
            places = tuple(range(len(prompts), len(prompts) + len(seeds)))
            prompts += [ImagePrompt(blob=f"{seed:064x}", role="style", adapter=name, weight=weight) for seed in seeds]
            file = folder / "ip_adapter.safetensors"
            adapters.append(IpAdapter(name, folder, file, folder / "image_encoder", layers, weight, places))
        return replace(
            wanted,
            job=wanted.job.with_pixels(image_prompts=prompts),
            ip_adapters=tuple(adapters),
            references=tuple(noise(int(one.blob, 16)) for one in prompts),
        )

    return make


def drawn(wanted: Order, scales: list[Any]) -> np.ndarray:
    """The picture by diffusers alone."""
    job, first = wanted.job.pixels, wanted.ip_adapters[0]
    encoder = CLIPVisionModelWithProjection.from_pretrained(first.encoder)
    plain = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, image_encoder=encoder, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    several = len(wanted.ip_adapters)
    plain.load_ip_adapter(
        [str(first.folder)] * several, subfolder=[""] * several, weight_name=["ip_adapter.safetensors"] * several,
        image_encoder_folder=None, local_files_only=True,
    )  # fmt: skip
    plain.set_ip_adapter_scale(scales)
    plain.scheduler = getattr(diffusers, wanted.scheduler.name).from_config(
        plain.scheduler.config, **wanted.scheduler.options
    )
    led = {"width": job.width, "height": job.height}
    if wanted.controls:
        net = ControlNetModel.from_pretrained(wanted.controls[0].folder)
        plain = diffusers.StableDiffusionXLControlNetImg2ImgPipeline.from_pipe(plain, controlnet=net)
        plain.set_progress_bar_config(disable=True)
        led = {"image": Image.fromarray(wanted.start_image.rgb), "strength": wanted.start_image.strength}
        led |= {"control_image": Image.fromarray(wanted.maps[0]), "controlnet_conditioning_scale": 1.0}
    seen = [Image.fromarray(picture) for picture in wanted.references]
    groups = [[seen[place] for place in one.prompt_positions] for one in wanted.ip_adapters]
    result = plain(
        prompt=job.prompt, negative_prompt=job.negative_prompt, num_inference_steps=job.steps,
        guidance_scale=job.guidance, generator=torch.Generator("cpu").manual_seed(job.seed), ip_adapter_image=groups,
        **led,
    )  # fmt: skip
    return np.asarray(result.images[0])


@pytest.mark.parametrize("name", ["plain", "plus"])
@pytest.mark.parametrize("platform", FOLLOWING)
async def test_a_picture_that_follows_one_is_the_plain_pipelines(
    platform: str, name: str, engine: DiffusersEngine, orders: Callable[..., Order], follow: Follow
) -> None:
    wanted = follow(orders(platform, prompt=PROMPT), ([1], 0.7, ""), name=name)
    rendering = await made(engine, wanted)

    assert rendering.engine == "steps"
    assert np.array_equal(pixels(rendering), drawn(wanted, [0.7]))
    assert not np.array_equal(pixels(rendering), plainly_drawn(wanted))


async def test_two_are_seen_together_and_a_third_adds_its_style_alone(
    engine: DiffusersEngine, orders: Callable[..., Order], follow: Follow
) -> None:
    wanted = follow(orders("stable_diffusion_xl", prompt=PROMPT, guidance=1.0), ([1, 2], 0.5, ""), ([3], 0.9, STYLE))
    rendering = await made(engine, wanted)

    assert np.array_equal(pixels(rendering), drawn(wanted, [0.5, {"up": {"block_0": [0.0, 0.9]}}]))


async def test_a_look_goes_with_a_picture_to_start_from_and_with_structure(
    engine: DiffusersEngine, orders: Callable[..., Order], follow: Follow, controls: Callable[..., ControlModel]
) -> None:
    platform = "stable_diffusion_xl"
    led = {"controls": (controls(platform, "first"),), "maps": (noise(3),), "start_image": StartImage(noise(5), 0.75)}
    wanted = replace(follow(orders(platform, prompt=PROMPT), ([1], 0.7, "")), **led)
    rendering = await made(engine, wanted)

    assert np.array_equal(pixels(rendering), drawn(wanted, [0.7]))


@pytest.mark.parametrize("platform", FOLLOWING)
async def test_pictures_that_follow_others_share_calls_and_leave_each_other_as_they_are(
    platform: str, engine: DiffusersEngine, orders: Callable[..., Order], follow: Follow
) -> None:
    plain = [orders(platform, seed=seed, steps=6) for seed in (1, 2, 3)]
    wanted = [
        follow(plain[0], ([1], 0.7, "")),
        follow(plain[1], ([2], 0.7, "")),
        follow(plain[2], ([2], 0.2, "")),
        plain[0],
        plain[1],
    ]
    together = await asyncio.gather(*(made(engine, one) for one in wanted))
    again = [
        await made(engine, replace(one, buckets=rendering.buckets))
        for one, rendering in zip(wanted, together, strict=True)
    ]

    assert 2 in rooms(together[0]) & rooms(together[1])
    assert 2 in rooms(together[3]) & rooms(together[4])
    assert rooms(together[2]) == {1}, "another weight, so it shares no call"
    for one, other in zip(together, again, strict=True):
        assert np.array_equal(pixels(one), pixels(other))


async def test_a_picture_without_is_afterwards_what_it_was_before(
    engine: DiffusersEngine, orders: Callable[..., Order], follow: Follow
) -> None:
    plain = orders("stable_diffusion_1_5", prompt=PROMPT)
    before = await made(engine, plain)
    for name in ("plain", "plus", "third"):
        await made(engine, follow(plain, ([1], 1.0, ""), name=name))
    after = await made(engine, plain)

    assert np.array_equal(pixels(before), pixels(after))
    assert np.array_equal(pixels(after), plainly_drawn(plain))


@pytest.mark.parametrize("reason", ["layers of another model", "no such layer", "no encoder", "a LoRA"])
async def test_what_does_not_fit_is_refused_and_the_model_goes_on_without(
    reason: str, engine: DiffusersEngine, orders: Callable[..., Order], follow: Follow
) -> None:
    plain = orders("stable_diffusion_1_5", prompt=PROMPT)
    wanted = follow(plain, ([1], 1.0, "down_blocks.7" if reason == "no such layer" else ""))
    adapter = wanted.ip_adapters[0]
    match reason:
        case "layers of another model":
            other = follow(orders("stable_diffusion_xl"), ([1], 1.0, "")).ip_adapters[0]
            adapter.file.write_bytes(other.file.read_bytes())
        case "no encoder":
            (adapter.encoder / "model.safetensors").rename(adapter.encoder / "pytorch_model.bin")
        case "a LoRA":
            adapter.file.write_bytes((plain.folder / "unet" / "diffusion_pytorch_model.safetensors").read_bytes())
        case _:
            pass
    with pytest.raises(AcpError) as refused:
        await made(engine, wanted)
    after = await made(engine, plain)

    assert refused.value.body.code == "not_installed"
    assert "plain" in refused.value.body.message
    assert np.array_equal(pixels(after), plainly_drawn(plain))


async def test_a_refinement_follows_the_same_pictures_and_mixes_the_same_regions(
    orders: Callable[..., Order], follow: Follow, engine: DiffusersEngine
):
    star = Region(prompt="a blue star", box=[0, 0, 0.5, 1])
    wanted = follow(orders(FOLLOWING[0], steps=4, regions=[star]), ([1], 0.8, ""))
    refined = await made(engine, replace(wanted, stages=(Refinement(replace(wanted, references=()), 0.5, 2),)))
    base = pixels(await made(engine, wanted))
    again = pixels(await made(engine, replace(wanted, start_image=StartImage(base, 0.5))))
    assert np.array_equal(pixels(refined), again)
    assert not np.array_equal(base, again)


def test_three_that_act_together_stay_in_memory(orders: Callable[..., Order], follow: Follow) -> None:
    wanted = orders(FOLLOWING[0])
    three = [follow(wanted, ([1], 0.5, ""), name=name).ip_adapters[0] for name in ("plain", "plus", "third")]
    pipeline = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, local_files_only=True)
    loads: list[int] = []
    hot = IpAdapters(pipeline, torch.device("cpu"), loads.append, MountGuard(pipeline))
    for _ in range(2):
        for one in three:
            hot.embed_pictures(one, [noise(1)], together=len(three))
        hot.activate(three)
        hot.activate([])
    assert len(loads) == 3
    hot.embed_pictures(follow(wanted, ([1], 0.5, ""), name="fourth").ip_adapters[0], [noise(1)])
    hot.embed_pictures(three[2], [noise(1)])
    assert len(loads) == 4
    hot.embed_pictures(three[0], [noise(1)])
    assert len(loads) == 5, "where pictures follow by one, two stay"
