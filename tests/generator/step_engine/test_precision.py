# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""Weights of half precision: what is computed between the models' calls stays float32, and no pipeline changes a
model that others are using."""

import copy
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from PIL import Image

from agents.generator.architectures import ARCHITECTURES
from agents.generator.step_engine.model_proxies import CallRequest, StepRequest, pipeline_for_one_picture
from tests.generator.platforms import PLATFORMS

OPTIONS = {"prompt": "a red mug", "num_inference_steps": 20, "width": 64, "height": 64, "output_type": "pt"}


def built(platform: str) -> Any:
    """A platform's tiny model as it would be loaded, without dropout."""
    pipeline = PLATFORMS[platform][1]()
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    return pipeline


def run(pipeline: Any, **options: Any) -> torch.Tensor:
    pipeline.set_progress_bar_config(disable=True)
    with torch.no_grad():
        generator = torch.Generator("cpu").manual_seed(7)
        return pipeline(generator=generator, **(OPTIONS | options)).images[0].float()


def shared(pipeline: Any, seen: list[torch.dtype]) -> Any:
    """The pipeline as the engine runs it, each call made at once; `seen` gets the precision of latents at each step."""

    def ask(said: CallRequest | StepRequest) -> Any:
        if isinstance(said, CallRequest):
            return said.call.run()
        seen.extend((said.sample.dtype, said.model_output.dtype))
        return said.run()

    kind = type(pipeline).__name__
    family = next(one for one in ARCHITECTURES.values() if kind in (one.pipelines.noise, one.pipelines.picture))
    return pipeline_for_one_picture(pipeline, family, copy.deepcopy(pipeline.scheduler), ask)


@pytest.mark.parametrize(
    "platform", ["stable_diffusion_1_5", "stable_diffusion_xl", "stable_diffusion_3_5", "flux_1_dev"]
)
def test_latents_stay_whole_around_weights_of_half_precision_and_lose_less(platform: str):
    half = built(platform).to(torch.bfloat16)
    whole = copy.deepcopy(half).to(torch.float32)
    seen: list[torch.dtype] = []
    expected, ours, plain = (run(one, output_type="latent") for one in (whole, shared(half, seen), half))
    assert set(seen) == {torch.float32}
    assert torch.dist(ours, expected) < torch.dist(plain, expected)


def test_an_autoencoder_that_is_shared_is_not_widened_for_one_picture():
    half = built("stable_diffusion_xl").to(torch.bfloat16)
    assert half.vae.config.force_upcast
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    picture = diffusers.StableDiffusionXLImg2ImgPipeline(**half.components)
    options = {name: value for name, value in OPTIONS.items() if name not in ("width", "height")}
    with torch.no_grad():
        made = shared(picture, [])(image=noise, generator=torch.Generator("cpu").manual_seed(7), **options)
    assert torch.isfinite(made.images).all()
    assert half.vae.dtype == torch.bfloat16


def test_whole_precision_is_left_alone():
    whole, seen = built("stable_diffusion_1_5"), []
    assert torch.equal(run(shared(whole, seen)), run(whole))
    assert set(seen) == {torch.float32}
