# pyright: basic
"""Tiny single-file checkpoints as they are found on model sites."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.generator.platforms import PLATFORMS
from tests.generator.single_file import original

Tensors = dict[str, torch.Tensor]

CONV_IN = "model.diffusion_model.input_blocks.0.0.weight"


def make_checkpoints(folder: Path) -> None:
    """Write every file into a folder."""
    sd, xl = (original(PLATFORMS[name][1]()) for name in ("stable_diffusion_1_5", "stable_diffusion_xl"))
    metadata = {
        "sd_vpred": {"modelspec.prediction_type": "v"},
        "xl_vpred": {
            "modelspec.architecture": "stable-diffusion-xl-v1-base",
            "modelspec.prediction_type": "v",
        },
    }
    for name, tensors in {**_ordinary(sd, xl), **_other_kinds(sd, xl), **_broken(sd)}.items():
        whole = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}
        save_file(whole, folder / f"{name}.safetensors", metadata.get(name))


def _ordinary(sd: Tensors, xl: Tensors) -> dict[str, Tensors]:
    return {
        "sd_plain": sd,
        "xl_plain": xl,
        "sd_half": {key: tensor.half() for key, tensor in sd.items()},
        "sd_extra": {
            **sd,
            "betas": torch.linspace(0, 1, 1000),
            "alphas_cumprod": torch.linspace(1, 0, 1000),
            "model_ema.decay": torch.tensor(0.99),
            "model_ema.num_updates": torch.tensor(3),
            "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(32)[None],
            "modelname.x": torch.zeros(0),
        },
        "sd_old_te": {
            key.replace("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."): tensor
            for key, tensor in sd.items()
        },
        "sd_vpred": {**sd, "v_pred": torch.tensor([])},
        "xl_vpred": {**xl, "v_pred": torch.tensor([]), "ztsnr": torch.tensor([])},
        "sd_fp8": {
            key: tensor.to(torch.float8_e4m3fn) if tensor.ndim > 1 and key.startswith("model.") else tensor
            for key, tensor in sd.items()
        },
    }


def _other_kinds(sd: Tensors, xl: Tensors) -> dict[str, Tensors]:
    """Models that make no picture from words alone, or that are of other families."""
    conv = sd[CONV_IN]
    rest = {key: tensor for key, tensor in xl.items() if not key.startswith("conditioner.embedders.0.")}
    refiner = {
        key.replace("conditioner.embedders.1.", "conditioner.embedders.0."): torch.zeros(tensor.shape[0], 32)
        if key.endswith(("attn2.to_k.weight", "attn2.to_v.weight"))
        else tensor
        for key, tensor in rest.items()
    }
    return {
        "sd_inpaint": {**sd, CONV_IN: torch.cat([conv, torch.zeros(conv.shape[0], 5, 3, 3)], 1)},
        "sd_edit": {**sd, CONV_IN: torch.cat([conv, torch.zeros(conv.shape[0], 4, 3, 3)], 1)},
        "xl_refiner": refiner,
        "xl_edm": {**xl, "edm_mean": torch.zeros(4), "edm_std": torch.ones(4)},
        "sd_2": {
            key.replace("cond_stage_model.transformer.", "cond_stage_model.model."): tensor
            for key, tensor in sd.items()
        },
    }


def _broken(sd: Tensors) -> dict[str, Tensors]:
    """Files of which a part is missing, or not what it should be."""
    half = {key: tensor.half() for key, tensor in sd.items()}
    decoder = "first_stage_model"
    return {
        "sd_novae": {key: tensor for key, tensor in sd.items() if not key.startswith(decoder)},
        "sd_note": {key: tensor for key, tensor in sd.items() if not key.startswith("cond_stage_model")},
        "sd_nanvae": {
            key: torch.full_like(tensor, float("nan")) if key.startswith(decoder) else tensor
            for key, tensor in half.items()
        },
        "sd_bigvae": {
            key: (tensor * 6e4).clamp(-6e4, 6e4) if key.startswith(f"{decoder}.decoder.mid") else tensor
            for key, tensor in half.items()
        },
        "sd_loramix": {
            **sd,
            "lora_unet_x.lora_down.weight": torch.zeros(4, 4),
            "lora_unet_x.lora_up.weight": torch.zeros(4, 4),
        },
        "sd_fp8_scaled": {**sd, "scaled_fp8": torch.zeros(2)},
    }
