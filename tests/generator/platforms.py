# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""A tiny random model of each platform, made of the real classes, in the folders where a home keeps them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    Kandinsky3Pipeline,
    Kandinsky3UNet,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
    VQModel,
)
from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5TokenizerFast

from tests.generator.conftest import tiny_pipeline, tiny_unet

TEXT = 16
"""Width of the CLIP text encoders."""
T5_TEXT = 32


def tiny_t5() -> T5EncoderModel:
    return T5EncoderModel(T5Config(vocab_size=64, d_model=T5_TEXT, d_kv=8, d_ff=32, num_layers=1, num_heads=4))


def tiny_t5_tokenizer() -> T5TokenizerFast:
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["<pad>", "</s>", "<unk>", "▁", *letters]
    return T5TokenizerFast(vocab=[(piece, -float(at)) for at, piece in enumerate(pieces)], extra_ids=0)


def tiny_projection(width: int = TEXT) -> CLIPTextModelWithProjection:
    config = tiny_pipeline().text_encoder.config
    config.hidden_size = config.projection_dim = width
    return CLIPTextModelWithProjection(config)


def tiny_xl_unet(text: int = 3 * TEXT) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=text,
        attention_head_dim=4,
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 2 * TEXT,
    )


def tiny_xl() -> StableDiffusionXLPipeline:
    torch.manual_seed(0)
    base = tiny_pipeline()
    return StableDiffusionXLPipeline(
        vae=base.vae,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        text_encoder_2=tiny_projection(2 * TEXT),
        tokenizer_2=base.tokenizer,
        unet=tiny_xl_unet(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            timestep_spacing="leading",
        ),
    )


def tiny_3() -> StableDiffusion3Pipeline:
    torch.manual_seed(0)
    base = tiny_pipeline()
    base.vae.register_to_config(shift_factor=0.06)
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16,
            patch_size=1,
            in_channels=4,
            out_channels=4,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=T5_TEXT,
            caption_projection_dim=32,
            pooled_projection_dim=2 * TEXT,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=base.vae,
        text_encoder=tiny_projection(),
        tokenizer=base.tokenizer,
        text_encoder_2=tiny_projection(),
        tokenizer_2=base.tokenizer,
        text_encoder_3=tiny_t5(),
        tokenizer_3=tiny_t5_tokenizer(),
    )


def tiny_flux(guided: bool = True) -> FluxPipeline:
    """FLUX.1-dev, or FLUX.1-schnell, which does not follow a guidance value."""
    torch.manual_seed(0)
    base = tiny_pipeline()
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0 if guided else 1.0, use_dynamic_shifting=guided),
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        text_encoder_2=tiny_t5(),
        tokenizer_2=tiny_t5_tokenizer(),
        transformer=FluxTransformer2DModel(
            patch_size=1,
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=T5_TEXT,
            pooled_projection_dim=TEXT,
            axes_dims_rope=(4, 4, 8),
            guidance_embeds=guided,
        ),
        vae=AutoencoderKL(
            block_out_channels=(4,), latent_channels=1, norm_num_groups=1, shift_factor=0.06, scaling_factor=1.5
        ),
    )


def tiny_kandinsky() -> Kandinsky3Pipeline:
    torch.manual_seed(0)
    return Kandinsky3Pipeline(
        tokenizer=tiny_t5_tokenizer(),
        text_encoder=tiny_t5(),
        unet=Kandinsky3UNet(
            in_channels=4,
            time_embedding_dim=4,
            groups=2,
            attention_head_dim=4,
            layers_per_block=3,
            block_out_channels=(32, 64),
            cross_attention_dim=4,
            encoder_hid_dim=T5_TEXT,
        ),
        movq=VQModel(
            block_out_channels=(32, 32, 32, 32),
            down_block_types=(*("DownEncoderBlock2D",) * 3, "AttnDownEncoderBlock2D"),
            up_block_types=("AttnUpDecoderBlock2D", *("UpDecoderBlock2D",) * 3),
            latent_channels=4,
            norm_num_groups=8,
            norm_type="spatial",
            num_vq_embeddings=12,
            vq_embed_dim=4,
        ),
        scheduler=DDPMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="squaredcos_cap_v2", clip_sample=True, steps_offset=1
        ),
    )


class TinyFamily(NamedTuple):
    """Tiny models of a family: platform -> the registry's model of it, and what builds a tiny one. `wide` builds its
    denoiser of few layers that are as wide as those of real models, as far as files are known by that."""

    models: dict[str, tuple[str, Callable[[], Any]]]
    wide: Callable[[], torch.nn.Module]


FAMILIES: dict[str, TinyFamily] = {
    "stable_diffusion": TinyFamily({"stable_diffusion_1_5": ("base_sd15", tiny_pipeline)}, lambda: tiny_unet(768)),
    "stable_diffusion_xl": TinyFamily({"stable_diffusion_xl": ("base_sdxl", tiny_xl)}, lambda: tiny_xl_unet(2048)),
    "stable_diffusion_3": TinyFamily(
        {"stable_diffusion_3_5": ("base_sd35", tiny_3)},
        lambda: SD3Transformer2DModel(num_layers=2, num_attention_heads=24, caption_projection_dim=1536),
    ),
    "flux": TinyFamily(
        {
            "flux_1_dev": ("flux_dev", tiny_flux),
            "flux_1_schnell": ("flux_schnell", lambda: tiny_flux(guided=False)),
        },
        lambda: FluxTransformer2DModel(num_layers=1, num_single_layers=1, guidance_embeds=True),
    ),
    "kandinsky_3": TinyFamily({"kandinsky_3": ("kandinsky_3", tiny_kandinsky)}, lambda: tiny_kandinsky().unet),
}
"""Family -> its tiny models. A family that is added needs an entry here."""

PLATFORMS = {platform: model for family in FAMILIES.values() for platform, model in family.models.items()}
"""Platform -> the registry's model of it, and what builds a tiny one."""


def install(models: Path, platform: str) -> str:
    """Put the tiny model of a platform into the folder of models; returns its name."""
    name, build = PLATFORMS[platform]
    build().save_pretrained(models / name)
    return name
