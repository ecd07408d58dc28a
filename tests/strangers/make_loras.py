# pyright: basic, reportPrivateImportUsage=false, reportAttributeAccessIssue=false
"""Tiny LoRA files for the tiny models of the tests, in the namings of several trainers: good ones and broken ones."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.generator.platforms import PLATFORMS

Tensors = dict[str, torch.Tensor]

RANK = 4
WIDTH = 32
"""Of the transformers of the tiny FLUX and Stable Diffusion 3."""
ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")
SD_METADATA = {
    "ss_base_model_version": "sd_v1",
    "ss_network_module": "networks.lora",
    "ss_tag_frequency": json.dumps({"10_inkstyle": {"1girl": 31, "solo": 31, "inkstyle": 31, "smile": 4}}),
}
XL_METADATA = {**SD_METADATA, "ss_base_model_version": "sdxl_base_v1-0"}
WITHOUT_METADATA = ("peft_base", "peft_unet", "kohya_peft_mix", "two_trainers")


def make_loras(folder: Path) -> None:
    """Write every file into a folder."""
    torch.manual_seed(1)
    sd, xl = (PLATFORMS[name][1]() for name in ("stable_diffusion_1_5", "stable_diffusion_xl"))
    for name, tensors in {**_sd(sd), **_xl(xl), **_flux(), **_sd3()}.items():
        plain = name.startswith(("flux", "sd3")) or name in WITHOUT_METADATA
        metadata = None if plain else XL_METADATA if name.startswith("xl") else SD_METADATA
        whole = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}
        save_file(whole, folder / f"{name}.safetensors", metadata)


def linears(module: torch.nn.Module, ends: tuple[str, ...]) -> dict[str, torch.nn.Linear]:
    return {
        name: part for name, part in module.named_modules() if isinstance(part, torch.nn.Linear) and name.endswith(ends)
    }


def pair(layer: str, part: torch.nn.Linear | tuple[int, int], down: str, up: str) -> Tensors:
    """The two tensors of a layer that answers and reads so many numbers."""
    answers, reads = part if isinstance(part, tuple) else (part.out_features, part.in_features)
    return {layer + down: torch.randn(RANK, reads) * 0.3, layer + up: torch.randn(answers, RANK) * 0.3}


def kohya_layer(layer: str, part: torch.nn.Linear | tuple[int, int], alpha: float | None = 2.0) -> Tensors:
    scale = {} if alpha is None else {f"{layer}.alpha": torch.tensor(alpha)}
    return pair(layer, part, ".lora_down.weight", ".lora_up.weight") | scale


def peft_layer(layer: str, part: torch.nn.Linear | tuple[int, int]) -> Tensors:
    return pair(layer, part, ".lora_A.weight", ".lora_B.weight")


def kohya(prefix: str, module: torch.nn.Module, ends: tuple[str, ...], alpha: float | None = 2.0) -> Tensors:
    found: Tensors = {}
    for name, part in linears(module, ends).items():
        found |= kohya_layer(prefix + name.removeprefix("text_model.").replace(".", "_"), part, alpha)
    return found


def peft(prefix: str, module: torch.nn.Module) -> Tensors:
    found: Tensors = {}
    for name, part in linears(module, ATTENTION).items():
        found |= peft_layer(prefix + name, part)
    return found


def _sd(pipeline: Any) -> dict[str, Tensors]:
    unet = kohya("lora_unet_", pipeline.unet, ATTENTION)
    text = kohya("lora_te_text_model_", pipeline.text_encoder, TEXT)
    first = next(key for key in unet if key.endswith(".lora_down.weight")).removesuffix(".lora_down.weight")
    norm = "lora_unet_down_blocks_1_attentions_0_norm"
    far = "text_encoder.text_model.encoder.layers.99.self_attn.q_proj"
    return {
        "kohya_plain": {**unet, **text},
        "kohya_bf16": {key: tensor.bfloat16() for key, tensor in unet.items()},
        "kohya_fp8": {
            key: tensor if key.endswith("alpha") else tensor.to(torch.float8_e4m3fn) for key, tensor in unet.items()
        },
        "kohya_no_alpha": kohya("lora_unet_", pipeline.unet, ATTENTION, alpha=None),
        "te_only": text,
        "extra_empty": {**unet, "marker": torch.zeros(0)},
        "extra_emb": {**unet, "bundle_emb.inky.string_to_param.*": torch.randn(1, 16)},
        "extra_stray": {**unet, "notes": torch.ones(3)},
        "dora": {**unet, f"{first}.dora_scale": torch.ones(16, 1)},
        "tucker": {**unet, f"{first}.lora_mid.weight": torch.zeros(RANK, RANK, 3, 3)},
        "lokr": {f"{first}.lokr_w1": torch.ones(4, 4), f"{first}.lokr_w2": torch.ones(4, 4)},
        "loha": {f"{first}.hada_w1_a": torch.ones(4, 4), f"{first}.hada_w1_b": torch.ones(4, 4)},
        "ia3": {f"{first}.weight": torch.ones(16), f"{first}.on_input": torch.tensor(0)},
        "norms": {**unet, f"{norm}.w_norm": torch.zeros(32), f"{norm}.b_norm": torch.zeros(32)},
        "peft_base": peft("base_model.model.", pipeline.unet),
        "peft_unet": peft("unet.", pipeline.unet),
        "kohya_peft_mix": {
            key.replace(".lora_down.", ".lora_A.").replace(".lora_up.", ".lora_B."): tensor
            for key, tensor in unet.items()
        },
        "two_trainers": {
            **unet,
            **peft_layer("unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q", (32, 32)),
        },
        "nan_alpha": {
            key: torch.tensor(float("nan")) if key.endswith("alpha") else tensor for key, tensor in unet.items()
        },
        "half_way": {**peft("unet.", pipeline.unet), **peft_layer(far, (16, 16))},
        "ニンジャ スタイル v1.2": unet,
        "con": unet,
    }


def _xl(pipeline: Any) -> dict[str, Tensors]:
    unet = kohya("lora_unet_", pipeline.unet, ATTENTION)
    text = kohya("lora_te1_text_model_", pipeline.text_encoder, TEXT)
    text |= kohya("lora_te2_text_model_", pipeline.text_encoder_2, TEXT)
    misnamed = {key.replace("_text_model_", "_text_model_text_model_"): tensor for key, tensor in text.items()}
    return {
        "xl_both_encoders": {**unet, **text},
        "xl_misnamed_encoders": {**unet, **misnamed},
        "xl_sgm_names": {_original_name(key): tensor for key, tensor in unet.items()},
        "xl_label_emb": {
            **unet,
            **kohya_layer("lora_unet_label_emb_0_0", pipeline.unet.add_embedding.linear_1),
        },
        "xl_time_embed": {
            **unet,
            **kohya_layer("lora_unet_time_embed_0", pipeline.unet.time_embedding.linear_1),
        },
    }


def _original_name(key: str) -> str:
    """A layer of the tiny SDXL, which has one layer in each block, as the original training code calls it."""
    key = re.sub(
        r"down_blocks_(\d+)_attentions_(\d+)", lambda at: f"input_blocks_{2 * int(at[1]) + int(at[2]) + 1}_1", key
    )
    key = key.replace("mid_block_attentions_0", "middle_block_1")
    return re.sub(r"up_blocks_(\d+)_attentions_(\d+)", lambda at: f"output_blocks_{2 * int(at[1]) + int(at[2])}_1", key)


def _flux() -> dict[str, Tensors]:
    blocks = {"double_blocks.0.img_attn.qkv": (3 * WIDTH, WIDTH), "double_blocks.0.img_attn.proj": (WIDTH, WIDTH)}
    text: Tensors = {}
    for name in TEXT:
        text |= kohya_layer(f"lora_te1_text_model_encoder_layers_0_self_attn_{name}", (16, 16))
    attention: Tensors = {}
    for name in ATTENTION[:3]:
        attention |= peft_layer(f"transformer.single_transformer_blocks.0.attn.{name}", (WIDTH, WIDTH))
    fused: Tensors = {}
    original: Tensors = {}
    for name, shape in blocks.items():
        fused |= kohya_layer(f"lora_unet_{name.replace('.', '_')}", shape)
        original |= peft_layer(f"diffusion_model.{name}", shape)
    return {
        "flux_peft": attention,
        "flux_peft_base": {key.replace("transformer.", "base_model.model.", 1): one for key, one in attention.items()},
        "flux_te1_only": text,
        "flux_kohya": fused,
        "flux_comfy": original,
        "flux_xlabs": {
            "double_blocks.0.processor.qkv_lora1.down.weight": torch.randn(RANK, WIDTH),
            "double_blocks.0.processor.qkv_lora1.up.weight": torch.randn(3 * WIDTH, RANK),
        },
    }


def _sd3() -> dict[str, Tensors]:
    attention: Tensors = {}
    for name in ATTENTION[:3]:
        attention |= peft_layer(f"transformer.transformer_blocks.0.attn.{name}", (WIDTH, WIDTH))
    return {
        "sd3_peft": attention,
        "sd3_kohya": kohya_layer("lora_unet_joint_blocks_0_x_block_attn_qkv", (3 * WIDTH, WIDTH)),
    }
