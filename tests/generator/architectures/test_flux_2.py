# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false
"""Files of FLUX.2 look like those of FLUX.1 and are for other models: they are refused in words that say so."""

import json
from pathlib import Path

import pytest
import torch
from diffusers import Flux2Transformer2DModel
from safetensors.torch import save_file

from agents.generator.files.family_marks import UnsupportedFamily, platform_of_base_model
from agents.generator.files.lora_file import describe
from agents.generator.files.safetensors_header import Header, Tensor
from agents.generator.library.hub_files import pipeline_files
from agents.generator.library.recognise import recognise
from protocol.errors import AcpError

Layers = dict[str, tuple[int, int]]

SIZES = {"dev": (48, 15360), "klein 9B": (32, 12288), "klein 4B": (24, 7680)}
"""Heads of 128, and the width of the text."""


def layers_of(size: str) -> Layers:
    """The layers of a real transformer with one block of each kind: name -> what it reads and answers."""
    heads, text = SIZES[size]
    with torch.device("meta"):
        model = Flux2Transformer2DModel(
            num_layers=1, num_single_layers=1, num_attention_heads=heads, joint_attention_dim=text
        )
    return {
        name: (module.in_features, module.out_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }


def original_layers(width: int, between: int, gates: int) -> Layers:
    """Layers of blocks in the makers' names: `between` widths between the layers of a feed-forward part, which reads
    `gates` times as many."""
    return {
        "single_blocks.0.linear1": (width, (3 + between * gates) * width),
        "single_blocks.0.linear2": ((1 + between) * width, width),
        "double_blocks.0.img_attn.qkv": (width, 3 * width),
        "double_blocks.0.txt_attn.proj": (width, width),
        "double_blocks.0.img_mlp.0": (width, between * gates * width),
        "double_blocks.0.txt_mlp.2": (between * width, width),
    }


def lora(layers: Layers, kohya: bool, **metadata: str) -> Header:
    tensors = {}
    for name, (reads, answers) in layers.items():
        start = f"lora_unet_{name.replace('.', '_')}" if kohya else f"transformer.{name}"
        down, up = ("lora_down", "lora_up") if kohya else ("lora_A", "lora_B")
        tensors[f"{start}.{down}.weight"] = Tensor("F16", (8, reads), 0, 0)
        tensors[f"{start}.{up}.weight"] = Tensor("F16", (answers, 8), 0, 0)
    return Header(tensors, metadata, 0)


@pytest.mark.parametrize("kohya", [False, True])
@pytest.mark.parametrize("size", SIZES)
def test_a_lora_of_flux_2_is_refused_by_any_layer_that_is_not_flux_1s(size: str, kohya: bool):
    layers = layers_of(size)
    with pytest.raises(UnsupportedFamily, match=r"FLUX\.2, which is not supported"):
        describe(lora(layers, kohya))
    for name, widths in layers.items():
        try:
            assert describe(lora({name: widths}, kohya)).platform is None, name
        except UnsupportedFamily as error:
            assert "FLUX.2" in str(error)  # noqa: PT017 - one of the two
    for name in ("single_stream_modulation.linear", "single_transformer_blocks.0.attn.to_out", "x_embedder"):
        with pytest.raises(UnsupportedFamily):
            describe(lora({name: layers[name]}, kohya))


@pytest.mark.parametrize("kohya", [False, True])
@pytest.mark.parametrize("width", [6144, 4096, 3072])
def test_a_lora_in_the_makers_names_is_told_by_its_widths(width: int, kohya: bool):
    layers = original_layers(width, between=3, gates=2)
    told = set()
    for name, widths in layers.items():
        try:
            describe(lora({name: widths}, kohya))
        except UnsupportedFamily:
            told.add(name)
    assert {"single_blocks.0.linear1", "single_blocks.0.linear2", "double_blocks.0.img_mlp.0"} <= told
    # The attention of klein 4B alone has the names and widths of FLUX.1's.
    assert width == 3072 or {"double_blocks.0.img_attn.qkv", "double_blocks.0.txt_attn.proj"} <= told


@pytest.mark.parametrize("kohya", [False, True])
def test_a_lora_of_flux_1_is_still_known_by_any_of_its_layers(kohya: bool):
    for name, widths in original_layers(3072, between=4, gates=1).items():
        assert describe(lora({name: widths}, kohya)).platform == "flux_1_dev", name


@pytest.mark.parametrize(
    "name", ["FLUX.2-dev", "Flux.2 Klein 9B-base", "flux2", "flux-2-dev/lora", "flux_2", "FLUX 2", "Flux.3"]
)
def test_a_later_flux_is_not_flux_1_by_its_name(name: str, tmp_path: Path):
    assert platform_of_base_model(name) is None
    layers = {"x": (64, 64)}
    with pytest.raises(UnsupportedFamily, match=r"FLUX\.[23]"):
        describe(lora(layers, False, **{"modelspec.architecture": name}))
    file = tmp_path / "mine.safetensors"
    save_file({"x.lora_A.weight": torch.zeros(1, 2), "x.lora_B.weight": torch.zeros(2, 1)}, file)
    file.with_suffix(".civitai.info").write_text(json.dumps({"baseModel": name}))
    with pytest.raises(AcpError, match=r"FLUX\.[23], which is not supported yet") as refused:
        recognise(file)
    assert "flux_1_dev" in (refused.value.body.hint or "")


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
@pytest.mark.parametrize(
    "layer", ["double_stream_modulation_img.lin", "single_transformer_blocks.0.attn.to_qkv_mlp_proj"]
)
def test_a_checkpoint_of_flux_2_is_refused_as_one(prefix: str, layer: str, tmp_path: Path):
    file = tmp_path / "flux2.safetensors"
    names = (f"{prefix}{layer}.weight", f"{prefix}double_blocks.0.img_attn.proj.weight")
    save_file({name: torch.zeros(2, 2) for name in names}, file)
    with pytest.raises(AcpError, match=r"FLUX\.2, which is not supported yet"):
        recognise(file)


@pytest.mark.parametrize(
    ("pipeline", "transformer"),
    [
        ("Flux2Pipeline", "Flux2Transformer2DModel"),
        ("Flux2KleinPipeline", "Flux2Transformer2DModel"),
        ("FluxPipeline", "Flux2Transformer2DModel"),
    ],
)
def test_a_folder_of_flux_2_is_refused_as_one_before_anything_of_it_is_fetched(
    pipeline: str, transformer: str, tmp_path: Path
):
    index = {"_class_name": pipeline, "transformer": ["diffusers", transformer]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(AcpError, match=r"FLUX\.2, which is not supported yet"):
        recognise(tmp_path)
    with pytest.raises(AcpError, match=r"FLUX\.2, which is not supported yet"):
        pipeline_files([], index, "bfloat16", "black-forest-labs/FLUX.2-dev")
