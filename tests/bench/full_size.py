# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""Models in their full size with random weights, for a machine that has no others: Stable Diffusion 1.5, SDXL and
FLUX.1-schnell, after the configurations that their makers publish (stable-diffusion-v1-5/stable-diffusion-v1-5,
stabilityai/stable-diffusion-xl-base-1.0, black-forest-labs/FLUX.1-schnell). Tokenizers know letters alone."""

from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel

from tests.generator.conftest import tiny_pipeline
from tests.generator.platforms import PLATFORMS, tiny_t5_tokenizer

CLIP_L = {
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "projection_dim": 768,
}
CLIP_BIG_G = CLIP_L | {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}
T5_XXL = {
    "vocab_size": 32128,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
KL_8 = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
}
BETAS = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


def _sd15(scheduler: Any) -> StableDiffusionPipeline:
    return StableDiffusionPipeline(
        vae=AutoencoderKL(**KL_8, sample_size=512),
        text_encoder=CLIPTextModel(CLIPTextConfig(**CLIP_L)),
        tokenizer=_letters(),
        unet=UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl(scheduler: Any) -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=AutoencoderKL(**KL_8, sample_size=1024, scaling_factor=0.13025),
        text_encoder=CLIPTextModel(CLIPTextConfig(**CLIP_L)),
        tokenizer=_letters(),
        text_encoder_2=CLIPTextModelWithProjection(CLIPTextConfig(**CLIP_BIG_G)),
        tokenizer_2=_letters(),
        unet=UNet2DConditionModel(
            sample_size=128,
            block_out_channels=(320, 640, 1280),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(5, 10, 20),
            cross_attention_dim=2048,
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=256,
            projection_class_embeddings_input_dim=2816,
        ),
        scheduler=scheduler,
        add_watermarker=False,
    )


def _flux(scheduler: Any) -> FluxPipeline:
    return FluxPipeline(
        scheduler=scheduler,
        vae=AutoencoderKL(
            **KL_8,
            sample_size=1024,
            latent_channels=16,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=CLIPTextModel(CLIPTextConfig(**CLIP_L)),
        tokenizer=_letters(),
        text_encoder_2=T5EncoderModel(T5Config(**T5_XXL)),
        tokenizer_2=tiny_t5_tokenizer(),
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=64,
            num_layers=19,
            num_single_layers=38,
            attention_head_dim=128,
            num_attention_heads=24,
            joint_attention_dim=4096,
            pooled_projection_dim=768,
            guidance_embeds=False,
            axes_dims_rope=(16, 56, 56),
        ),
    )


def _letters() -> Any:
    tokenizer = tiny_pipeline().tokenizer
    tokenizer.model_max_length = CLIP_L["max_position_embeddings"]
    return tokenizer


@dataclass(frozen=True)
class Subject:
    """A model of the registry and how it is measured: `sizes` in pixels, `most` pictures for one comparison."""

    model: str
    platform: str
    sizes: tuple[int, ...]
    steps: int
    guidance: float
    sampler: str
    most: int
    build: Callable[[Any], Any]


SUBJECTS = {
    "sd15": Subject("base_sd15", "stable_diffusion_1_5", (512,), 30, 7.0, "DPM++ 2M Karras", 32, _sd15),
    "sdxl": Subject("base_sdxl", "stable_diffusion_xl", (1024, 512), 30, 7.0, "DPM++ 2M Karras", 16, _sdxl),
    "flux": Subject("flux_schnell", "flux_1_schnell", (1024, 512), 4, 0.0, "Euler", 16, _flux),
}


def built(subject: Subject, device: torch.device, dtype: torch.dtype, tiny: bool) -> Any:
    """The pipeline of a subject on a device, with random weights; `tiny` is the same classes in the size of tests."""
    torch.manual_seed(0)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0) if subject.guidance == 0 else EulerDiscreteScheduler(**BETAS)
    with nullcontext() if tiny else _made_on(device, dtype):
        pipeline = PLATFORMS[subject.platform][1]() if tiny else subject.build(scheduler)
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.to(device, dtype).eval().requires_grad_(False)
    return pipeline


@contextmanager
def _made_on(device: torch.device, dtype: torch.dtype) -> Generator[None]:
    """Modules that are built inside have their weights on a device, in a precision, from the start."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)
