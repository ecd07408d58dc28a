# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""A tiny random IP-Adapter for a model's denoiser, in the naming of those that people download, and the CLIP vision
model beside it."""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

SEEN = 12
"""Width of a picture's embedding."""
PATCH_WIDTH = 16
INNER = 64
"""diffusers counts 64 to a head of the projection that looks at patches."""


def install(folder: Path, unet: UNet2DConditionModel, patches: bool = False, seed: int = 1) -> Path:
    """Write both into a folder; `patches` makes it one of those called "plus"."""
    torch.manual_seed(seed)
    folder.mkdir(parents=True)
    width = unet.config.cross_attention_dim
    tensors = {
        f"ip_adapter.{2 * number + 1}.{part}.weight": torch.randn(hidden, width) / width**0.5
        for number, hidden in enumerate(_hidden_sizes(unet))
        for part in ("to_k_ip", "to_v_ip")
    }
    projection = _over_patches(width) if patches else _over_embedding(width)
    tensors |= {f"image_proj.{name}": tensor for name, tensor in projection.items()}
    save_file(tensors, folder / "ip_adapter.safetensors")
    vision = CLIPVisionConfig(
        hidden_size=PATCH_WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32,
        patch_size=8, projection_dim=SEEN,
    )  # fmt: skip
    CLIPVisionModelWithProjection(vision).save_pretrained(folder / "image_encoder")
    return folder


def _hidden_sizes(unet: UNet2DConditionModel) -> list[int]:
    """Of the attention layers that read text, in their order."""
    modules = dict(unet.named_modules())
    names = [name.removesuffix(".processor") for name in unet.attn_processors if name.endswith("attn2.processor")]
    return [modules[name].to_q.weight.shape[0] for name in names]


def _over_embedding(width: int) -> dict[str, torch.Tensor]:
    return {
        "proj.weight": torch.randn(4 * width, SEEN),
        "proj.bias": torch.randn(4 * width),
        "norm.weight": torch.ones(width),
        "norm.bias": torch.zeros(width),
    }


def _over_patches(width: int) -> dict[str, torch.Tensor]:
    def normal(dims: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ones(dims), torch.zeros(dims)

    tensors = {
        "latents": torch.randn(1, 4, INNER),
        "proj_in.weight": torch.randn(INNER, PATCH_WIDTH),
        "proj_in.bias": torch.zeros(INNER),
        "proj_out.weight": torch.randn(width, INNER) / 8,
        "proj_out.bias": torch.zeros(width),
    }
    tensors["norm_out.weight"], tensors["norm_out.bias"] = normal(width)
    for layer in range(4):
        attention, forward = f"layers.{layer}.0", f"layers.{layer}.1"
        for name in (f"{attention}.norm1", f"{attention}.norm2", f"{forward}.0"):
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = normal(INNER)
        tensors[f"{attention}.to_q.weight"] = torch.randn(INNER, INNER) / 8
        tensors[f"{attention}.to_kv.weight"] = torch.randn(2 * INNER, INNER) / 8
        tensors[f"{attention}.to_out.weight"] = torch.randn(INNER, INNER) / 8
        tensors[f"{forward}.1.weight"] = torch.randn(4 * INNER, INNER) / 8
        tensors[f"{forward}.3.weight"] = torch.randn(INNER, 4 * INNER) / 16
    return tensors
