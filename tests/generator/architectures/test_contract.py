# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""What every family of models promises, by the table of families: alone the plain pipeline's picture, in company the
same as alone in calls as large, shared as it is announced; and its files are known as its own and as no other's."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from agents.generator import announce
from agents.generator.architectures import ARCHITECTURES
from agents.generator.engine import Rendering
from agents.generator.engines.diffusers_engine import DiffusersEngine
from agents.generator.files.lora_file import describe
from agents.generator.files.safetensors_header import Header, Tensor
from agents.generator.library.recognise import recognise
from agents.generator.orders.order import Order, order_of
from agents.generator.registry import registry, samplers
from protocol.errors import AcpError
from protocol.messages import Job, Prompt
from protocol.offers import ModelInfo, infos_of
from tests.generator import single_file
from tests.generator.engines.test_diffusers_engine import made, pixels
from tests.generator.platforms import FAMILIES, PLATFORMS, install


@pytest.fixture
def orders(tmp_path: Path, job: Callable[..., Job]) -> Callable[..., Order]:
    """Makes an order for a platform's tiny model, by its own defaults; the job's fields by keyword."""

    def make(platform: str, **fields: Any) -> Order:
        name = PLATFORMS[platform][0]
        if not (tmp_path / "models" / name).exists():
            install(tmp_path / "models", platform)
        known = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
        defaults = {"guidance": known.models[name].guidance, "sampler": known.models[name].sampler}
        return order_of(job(platform=platform, model=name, **(defaults | fields)), known)

    return make


def drawn(wanted: Order) -> np.ndarray:
    """The picture by diffusers alone."""
    job, model = wanted.job.pixels, wanted.model
    plain = diffusers.DiffusionPipeline.from_pretrained(wanted.folder, local_files_only=True)
    plain.set_progress_bar_config(disable=True)
    scheduler = getattr(diffusers, wanted.scheduler.name)
    plain.scheduler = scheduler.from_config(plain.scheduler.config, **wanted.scheduler.options)
    result = plain(
        prompt=job.prompt,
        width=job.width,
        height=job.height,
        num_inference_steps=job.steps,
        generator=torch.Generator("cpu").manual_seed(job.seed),
        **{model.family.guidance_argument: job.guidance},
        **({"negative_prompt": job.negative_prompt} if model.negative_prompt else {}),
    )
    return np.asarray(result.images[0])


@contextmanager
def counted_calls(kind: str) -> Generator[list[None]]:
    """Counts the calls of models of a class while it is open."""
    calls: list[None] = []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(
        lambda model, given: calls.append(None) if type(model).__name__ == kind else None
    )
    try:
        yield calls
    finally:
        hook.remove()


def announced(known: registry.Registry, name: str) -> ModelInfo:
    """What a generator says of a model."""
    offers = announce.announce(known, announce.Versions(), announce.Speeds())
    return next(info for info in infos_of(offers, ModelInfo) if info.name == name)


def rooms(rendering: Rendering) -> set[int]:
    assert rendering.buckets is not None
    return {room for room, _ in rendering.buckets.denoise}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_picture_alone_is_the_plain_pipelines(platform: str, orders: Callable[..., Order], tmp_path: Path):
    wanted = orders(platform, prompt=Prompt(text="a red mug", negative="blue"), steps=3)
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        rendering = await made(engine, wanted)
    assert rooms(rendering) == {1}
    assert np.array_equal(pixels(rendering), drawn(wanted))
    assert rendering.engine == ("steps" if wanted.model.family.shares_calls else "pipeline")


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_pictures_in_company_are_those_alone_in_calls_as_large(
    platform: str, orders: Callable[..., Order], tmp_path: Path
):
    texts = ("a red mug", "a blue car", "a mug")
    wanted = [
        orders(platform, prompt=Prompt(text=texts[number % 3]), seed=number, steps=3 + number % 2)
        for number in range(6)
    ]
    family = wanted[0].model.family
    engine = DiffusersEngine("cpu", 1, tmp_path / "run")
    async with engine.open():
        with counted_calls(family.denoiser) as single:
            alone = [await made(engine, one) for one in wanted]
        with counted_calls(family.denoiser) as together:
            crowd = await asyncio.gather(*(made(engine, one) for one in wanted))
        again = [
            await made(engine, replace(one, buckets=rendering.buckets))
            for one, rendering in zip(wanted, crowd, strict=True)
        ]
    assert (max(room for rendering in crowd for room in rooms(rendering)) > 1) == family.shares_calls
    assert [rendering.data for rendering in again] == [rendering.data for rendering in crowd]
    for one, rendering in zip(alone, crowd, strict=True):
        assert np.abs(pixels(one).astype(int) - pixels(rendering)).max() <= 1
    known = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml")
    shared = 0 < len(together) < len(single)
    assert shared == family.shares_calls
    assert {one.engine for one in crowd} == {announced(known, wanted[0].model.name).engine}
    assert {one.engine for one in crowd} == {"steps" if shared else "pipeline"}


def test_all_families_that_come_with_bottega_share_calls():
    assert [name for name, family in ARCHITECTURES.items() if not family.shares_calls] == []


def test_every_family_has_tiny_models_here_and_platforms_in_the_registry(tmp_path: Path):
    known = registry.load(tmp_path / "models", tmp_path / "loras", tmp_path / "models.toml").models.values()
    assert list(FAMILIES) == list(ARCHITECTURES)
    for name, family in ARCHITECTURES.items():
        assert family.name == name
        platforms = {model.platform for model in known if model.architecture == name}
        told = {family.files.platform, *family.files.base_models.values()}
        assert told <= platforms
        assert set(FAMILIES[name].models) <= platforms
        assert {samplers.find(one).name for one in family.unfit_samplers} == family.unfit_samplers


def test_no_two_families_have_a_mark_in_common():
    families = list(ARCHITECTURES.values())
    for marks in (
        [family.files.platform for family in families],
        [family.pipelines.noise for family in families],
        [family.files.text_width for family in families if family.files.text_width],
        [family.files.encoder_widths for family in families if family.files.encoder_widths],
        [start for family in families for start in family.files.base_models],
        [start for family in families for start in family.files.transformer_prefixes],
    ):
        assert len(marks) == len(set(marks))


def test_families_are_known_without_the_libraries_that_draw():
    program = (
        "import sys, agents.generator.architectures\n"
        "assert not {'torch', 'diffusers', 'transformers', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=50)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_familys_folder_is_known_as_its_own(platform: str, tmp_path: Path):
    found = recognise(tmp_path / install(tmp_path, platform))
    assert (found.kind, found.platform) == ("folder", platform)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_familys_lora_is_known_as_its_own_or_as_nobodys(name: str, tmp_path: Path):
    marks, part = ARCHITECTURES[name].files, "unet" if "unet" in ARCHITECTURES[name].denoiser.lower() else "transformer"
    with torch.device("meta"):
        denoiser = FAMILIES[name].wide()
    layers = {
        layer: (module.in_features, module.out_features)
        for layer, module in denoiser.named_modules()
        if isinstance(module, torch.nn.Linear)
    }
    expected = marks.platform if marks.layers or marks.text_width else None
    tensors = {}
    for layer, (reads, answers) in layers.items():
        tensors[f"{part}.{layer}.lora_A.weight"] = torch.zeros(1, reads, dtype=torch.float16)
        tensors[f"{part}.{layer}.lora_B.weight"] = torch.zeros(answers, 1, dtype=torch.float16)
    save_file(tensors, tmp_path / "lora.safetensors")
    found = recognise(tmp_path / "lora.safetensors")
    assert (found.kind, found.platform) == ("lora", expected)
    underscored = {}
    for layer, (reads, answers) in layers.items():
        kohya = f"lora_{part}_{layer.replace('.', '_')}"
        underscored[f"{kohya}.lora_down.weight"] = Tensor("F16", (4, reads), 0, 0)
        underscored[f"{kohya}.lora_up.weight"] = Tensor("F16", (answers, 4), 0, 0)
    assert describe(Header(underscored, {}, 0)).platform == expected


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_familys_single_file_is_known_as_its_own_or_refused(name: str, tmp_path: Path):
    marks, file = ARCHITECTURES[name].files, tmp_path / "mine.safetensors"
    for prefix in marks.transformer_prefixes:
        save_file({f"{prefix}0.x.weight": torch.zeros(2, 2)}, file)
        with pytest.raises(AcpError) as refused:
            recognise(file)
        assert "text encoders" in refused.value.body.message
    if marks.text_width is not None:
        _, build = FAMILIES[name].models[marks.platform]
        pipeline = build()
        pipeline.unet = FAMILIES[name].wide()
        single_file.save(pipeline, file)
        found = recognise(file)
        assert (found.kind, found.platform) == ("checkpoint", marks.platform)
