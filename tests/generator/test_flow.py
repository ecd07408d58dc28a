# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""A flow-matching transformer, FLUX, through the same engine: a tiny random one of the real classes."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import T5Config, T5EncoderModel

from agents.generator import registry
from agents.generator.diffusion import DiffusersEngine
from agents.generator.orders import order
from protocol.errors import AcpError
from protocol.messages import Job, Prompt
from tests.generator.conftest import tiny_pipeline
from tests.generator.test_diffusion import made, pixels


def tiny_flux() -> FluxPipeline:
    torch.manual_seed(0)
    text = tiny_pipeline()
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        text_encoder=text.text_encoder,
        tokenizer=text.tokenizer,
        text_encoder_2=T5EncoderModel(T5Config(vocab_size=64, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)),
        tokenizer_2=text.tokenizer,
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=32,
            pooled_projection_dim=16,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=True,
        ),
        vae=AutoencoderKL(
            block_out_channels=(4,), latent_channels=1, norm_num_groups=1, shift_factor=0.06, scaling_factor=1.5
        ),
    )


async def test_a_flow_model_makes_a_picture_of_its_seed(home: Path, job: Callable[..., Job]):
    tiny_flux().save_pretrained(home / "models" / "flux_dev")
    known = registry.load(home / "models", home / "loras", home / "models.toml")
    fields = {"model": "flux_dev", "platform": "flux_1_dev", "sampler": "Euler", "guidance": 3.5}
    engine = DiffusersEngine("cpu", 1, home / "run")
    async with engine.opened():
        first = await made(engine, order(job(**fields), known))
        other = await made(engine, order(job(**fields, seed=8), known))
        again = await made(engine, order(job(**fields, prompt=Prompt(text="a red mug", negative="blue")), known))
    assert pixels(first).shape == (64, 64, 3)
    assert first.data == again.data
    assert first.data != other.data


def test_a_sampler_that_a_flow_model_does_not_know_is_refused(home: Path, job: Callable[..., Job]):
    known = registry.load(home / "models", home / "loras", home / "models.toml").with_everything()
    with pytest.raises(AcpError) as refused:
        order(job(model="flux_dev", sampler="DDIM"), known)
    assert (refused.value.code, refused.value.body.hint) == ("not_installed", "use Euler")
