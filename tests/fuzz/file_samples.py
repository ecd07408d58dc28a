"""Sound files of every format that the workshop reads from strangers, small, so that many are tried."""

import json
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from agents.doors.cli.records.databases import DatabaseBackup, Manifest
from agents.generator.files.safetensors_header import DTYPE_BYTES
from agents.generator.registry.registry import BUILT_IN_FILE
from agents.prompt import style
from tests.strangers.make_pictures import make_pictures

Shapes = Mapping[str, tuple[int, ...]]


def _upscaler() -> Shapes:
    """A whole ESRGAN of one block and two doublings."""
    ends = ("first", "body", "up1", "up2", "hr", "last")
    sizes = {f"conv_{end}": (3 if end == "last" else 2, 3 if end == "first" else 2) for end in ends}
    for dense in (1, 2, 3):
        sizes |= {f"body.0.rdb{dense}.conv{layer}": (1 if layer < 5 else 2, 1 + layer) for layer in range(1, 6)}
    weights = {f"{name}.weight": (*size, 3, 3) for name, size in sizes.items()}
    return weights | {f"{name}.bias": size[:1] for name, size in sizes.items()}


WEIGHTS: Mapping[str, Shapes] = {
    "lora of kohya": {
        "lora_unet_a_attn2_to_k.lora_down.weight": (4, 768),
        "lora_unet_a_attn2_to_k.lora_up.weight": (320, 4),
        "lora_unet_a_attn2_to_k.alpha": (),
        "lora_te_b.lora_down.weight": (4, 8),
        "lora_te_b.lora_up.weight": (8, 4),
    },
    "lora of peft": {"unet.x.lora_A.weight": (4, 8), "unet.x.lora_B.weight": (8, 4)},
    "lora of diffusers": {"unet.x_lora.down.weight": (4, 8), "unet.x_lora.up.weight": (8, 4)},
    "embedding": {"clip_l": (2, 768), "clip_g": (2, 1280)},
    "embedding of one": {"emb_params": (2, 768)},
    "upscaler": _upscaler(),
    "ip-adapter": {
        "image_proj.proj.weight": (8, 4),
        "ip_adapter.1.to_k_ip.weight": (8, 8),
        "ip_adapter.1.to_v_ip.weight": (8, 8),
    },
    "checkpoint": {
        "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
        "model.diffusion_model.input_blocks.1.1.attn2.to_k.weight": (4, 768),
        "first_stage_model.x": (1,),
        "cond_stage_model.transformer.embeddings.x": (1,),
        "v_pred": (),
    },
}
"""What kinds of weights begin as, by names and shapes."""

METADATA: Mapping[str, str] = {
    "modelspec.architecture": "stable-diffusion-v1-base/lora",
    "modelspec.trigger_phrase": "",
    "ss_base_model_version": "sd_v1",
    "ss_output_name": "glow_style",
    "ss_dataset_dirs": json.dumps({"10_glow": {"n_repeats": 10, "img_count": 3}}),
    "ss_tag_frequency": json.dumps({"10_glow": {"glow": 3, "1girl": 3, "sky": 1}, "2_other": {"sky": 2}}),
}

CATALOGUE = b"""---
title: Unboxing
tags: [a, b]
---
# Unboxing experience

A full-height pose of [a person] in {a hoodie|a coat}, (softbox:1.2), 85 mm, <lora:glow:0.8>.

Negative prompt: text, watermark
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x640
"""

MODELS_TOML = b"""# what is mine
[platforms.mine]
architecture = "stable_diffusion"
aliases = ["own"]
steps = 20
guidance = 7.5
guidance_range = [1.0, 20.0]
sampler = "Euler"
native_sizes = [[512, 512], [512, 640]]
negative_prompt = true
multiple_of = 8
max_pixels = 1048576

[models.one]
platform = "mine"
path = "weights/one"
aliases = ['first', "second"]
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
memory_gb = 2.1
commercial = "yes"

[models."two-b"]
platform = "stable_diffusion_xl"
source = "somebody/two"
revision = "0123456789012345678901234567890123456789"

[loras]
glow = { platform = "mine", trigger = "glow" }

[embeddings.nice]
platform = "mine"
token = "<nice>"

[tools.up]
kind = "upscaler"
scale = 4
"""


def header_of(shapes: Shapes, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The header of a safetensors file whose tensors lie one after the other."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, shape in shapes.items():
        end = at + int(np.prod(shape)) * DTYPE_BYTES["F16"]
        header[name] = {"dtype": "F16", "shape": [*shape], "data_offsets": [at, end]}
        at = end
    return header


def manifest() -> dict[str, Any]:
    """The manifest of a backup."""
    database = DatabaseBackup(revision="0009", sha256="0" * 64, bytes=4096, rows={"batches": 3, "jobs": 40})
    whole = Manifest(format=1, version="0.1", made_at="2026-01-01", databases={"ledger": database})
    return msgspec.to_builtins(whole)


@cache
def toml_files() -> list[bytes]:
    """A person's `models.toml`, the workshop's own, and styles."""
    return [
        MODELS_TOML,
        MODELS_TOML,
        BUILT_IN_FILE.read_bytes(),
        *(one.read_bytes() for one in Path(style.__file__).with_name("styles").glob("*.toml")),
    ]


_SAVED: tuple[dict[str, Any], ...] = (
    {},
    {"quality": 60, "progressive": True},
    {"lossless": True, "exif": b"Exif\0\0II*\0\x08\0\0\0"},
)


@cache
def pictures(suffix: str) -> tuple[bytes, ...]:
    """Pictures whose names end so, tiny ones first: they take less time."""
    kinds = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP"}
    dice = np.random.default_rng(7)
    small: list[bytes] = []
    for mode, channels in (("RGB", 3), ("L", 1), ("RGBA", 4)):
        pixels = dice.integers(0, 255, (9, 7, channels), dtype=np.uint8)
        image = Image.fromarray(pixels.squeeze()).convert("RGB" if suffix == ".jpg" and mode == "RGBA" else mode)
        for options in (
            {},
            {"quality": 60, "progressive": True},
            {"lossless": True, "exif": b"Exif\0\0II*\0\x08\0\0\0"},
        ):
            out = BytesIO()
            image.save(out, kinds[suffix], **options)
            small.append(out.getvalue())
    strangers = [data for name, data in sorted(make_pictures().items()) if name.endswith(suffix)]
    return (*small, *small, *strangers)
