# pyright: basic, reportPrivateImportUsage=false
"""A model's folder: whole, in half precision, in part in half precision, and in several files."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline

from agents.generator.files import model_folder
from tests.generator.conftest import tiny_pipeline


def whole(folder: Path) -> None:
    tiny_pipeline().save_pretrained(folder)


def half(folder: Path) -> None:
    tiny_pipeline().to(torch.float16).save_pretrained(folder, variant="fp16")


def half_in_part(folder: Path) -> None:
    whole(folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.rename(file.with_name("diffusion_pytorch_model.fp16.safetensors"))


def half_in_several_files(folder: Path) -> None:
    tiny_pipeline().to(torch.float16).save_pretrained(folder, variant="fp16", max_shard_size="20KB")


@pytest.mark.parametrize("write", [whole, half, half_in_part, half_in_several_files])
def test_weights_are_read_in_whatever_form_they_lie(write: Callable[[Path], None], tmp_path: Path):
    write(tmp_path)
    found = model_folder.read_pipeline(StableDiffusionPipeline, tmp_path, torch.float32)
    written = tiny_pipeline()
    for part in ("unet", "vae", "text_encoder"):
        ours, theirs = getattr(found, part).state_dict(), getattr(written, part).state_dict()
        assert all(torch.allclose(ours[name], theirs[name], atol=1e-3) for name in theirs)
    assert {tensor.dtype for tensor in found.unet.parameters()} == {torch.float32}
