"""What a LoRA's header tells: namings, platforms and triggers; and which adapters are none."""

import json

import pytest

from agents.generator.files.family_marks import platform_of_base_model
from agents.generator.files.lora_file import NotALora, describe
from agents.generator.files.lora_names import loadable_names
from agents.generator.files.safetensors_header import Header, Tensor

ATTENTION = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


def header(shapes: dict[str, tuple[int, ...]], **metadata: str) -> Header:
    return Header({name: Tensor("F16", shape, 0, 0) for name, shape in shapes.items()}, metadata, 0)


def pair(layer: str, down: str, up: str, width: int = 768, rank: int = 8) -> dict[str, tuple[int, ...]]:
    return {layer + down: (rank, width), layer + up: (320, rank)}


@pytest.mark.parametrize(
    ("shapes", "naming", "platform"),
    [
        (pair(f"lora_unet_{ATTENTION.replace('.', '_')}", ".lora_down.weight", ".lora_up.weight"), "kohya",
         "stable_diffusion_1_5"),
        (pair(f"lora_unet_{ATTENTION.replace('.', '_')}", ".lora_down.weight", ".lora_up.weight", 2048), "kohya",
         "stable_diffusion_xl"),
        (pair(f"unet.{ATTENTION}", ".lora_A.weight", ".lora_B.weight", 2048), "peft", "stable_diffusion_xl"),
        (pair(f"unet.{ATTENTION}", ".lora.down.weight", ".lora.up.weight"), "diffusers", "stable_diffusion_1_5"),
        (pair("unet.mid_block.attentions.0.processor.to_q", "_lora.down.weight", "_lora.up.weight"), "diffusers", None),
        (pair("lora_unet_double_blocks_0_img_attn_proj", ".lora_down.weight", ".lora_up.weight", 3072), "kohya",
         "flux_1_dev"),
        (pair("transformer.single_transformer_blocks.0.attn.to_q", ".lora_A.weight", ".lora_B.weight", 3072), "peft",
         "flux_1_dev"),
        (pair("transformer.transformer_blocks.0.attn.add_k_proj", ".lora_A.weight", ".lora_B.weight", 1536), "peft",
         "stable_diffusion_3_5"),
    ],
)  # fmt: skip
def test_naming_and_platform_are_seen_in_names_and_shapes(
    shapes: dict[str, tuple[int, ...]], naming: str, platform: str | None
):
    found = describe(header(shapes))
    assert (found.naming, found.platform, found.layers, found.ranks) == (naming, platform, 1, (8,))


def test_a_convolutions_pair_and_its_scale_are_part_of_a_lora():
    found = describe(header({"x.lora_down.weight": (4, 320, 3, 3), "x.lora_up.weight": (320, 4, 1, 1), "x.alpha": ()}))
    assert (found.layers, found.ranks) == (1, (4,))


@pytest.mark.parametrize(
    ("metadata", "platform", "triggers"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "stable_diffusion_xl", ()),
        ({"modelspec.architecture": "flux-1-dev/lora", "ss_base_model_version": "sd_v1"}, "flux_1_dev", ()),
        ({"modelspec.trigger_phrase": " alice_character "}, None, ("alice_character",)),
        ({"ss_tag_frequency": json.dumps({"10_alice": {"alice_character": 20, "smile": 7, "1girl": 20}})}, None,
         ("alice_character",)),
        ({"ss_tag_frequency": json.dumps({"10_sks dog": {"sks dog": 20}})}, None, ("sks dog",)),
        ({"ss_tag_frequency": json.dumps({"img": {"1girl": 20, "solo": 20}})}, None, ()),
        ({"ss_tag_frequency": json.dumps({"img": {"1girl": 9, "ink style": 9}}), "ss_output_name": "InkStyle_v2"}, None,
         ("ink style",)),
        ({"ss_tag_frequency": json.dumps({"4_ink": {"ink": 8}}), "ss_dataset_dirs": '{"4_ink": {"img_count": 9}}'},
         None, ()),
        ({"ss_tag_frequency": json.dumps({"4_ink": {"ink": 9}}), "ss_dataset_dirs": '{"4_ink": {"img_count": 9}}'},
         None, ("ink",)),
        ({"modelspec.trigger_phrase": "neon\n\x1b\0 gl\ud800ow\u202e"}, None, ("neon gl ow",)),
        ({"modelspec.trigger_phrase": "x" * 501}, None, ()),
        ({"ss_tag_frequency": json.dumps({"abc": {"abc\ud800": 3}})}, None, ("abc",)),
        ({"ss_tag_frequency": "[" * 100_000}, None, ()),
        ({"ss_tag_frequency": json.dumps({"a": [1], "b": {"x": "y"}})}, None, ()),
        ({"ss_tag_frequency": "not json"}, None, ()),
    ],
)  # fmt: skip
def test_metadata_of_trainers_is_understood(metadata: dict[str, str], platform: str | None, triggers: tuple[str, ...]):
    found = describe(header(pair("x", ".lora_A.weight", ".lora_B.weight"), **metadata))
    assert (found.platform, found.triggers) == (platform, triggers)


@pytest.mark.parametrize(
    "shapes",
    [
        pytest.param({}, id="empty"),
        pytest.param({"conv_in.weight": (3, 3)}, id="a-model"),
        pytest.param({"x.hada_w1_a": (4, 4)}, id="loha"),
        pytest.param({"x.lokr_w1": (4, 4)}, id="lokr"),
        pytest.param(pair("x", ".lora_down.weight", ".lora_up.weight") | {"x.dora_scale": (1,)}, id="dora"),
        pytest.param({"x.lora_down.weight": (4, 8)}, id="half-a-pair"),
        pytest.param({"x.lora_B.weight": (4, 8)}, id="the-other-half"),
        pytest.param({"x.lora_A.weight": (4, 8), "x.lora_B.weight": (8, 5)}, id="ranks-that-differ"),
        pytest.param({"x.lora_A.weight": (0, 8), "x.lora_B.weight": (8, 0)}, id="no-rank"),
        pytest.param({"x.lora_A.weight": (4,), "x.lora_B.weight": (4, 8)}, id="a-vector"),
    ],
)
def test_what_is_no_lora_is_told_apart(shapes: dict[str, tuple[int, ...]]):
    with pytest.raises(NotALora):
        describe(header(shapes))


@pytest.mark.parametrize(
    ("own", "denoiser", "loaded"),
    [
        ("base_model.model.mid.to_q.lora_A.weight", "unet", "unet.mid.to_q.lora_A.weight"),
        ("base_model.model.mid.to_q.lora_A.weight", "transformer", "transformer.mid.to_q.lora_A.weight"),
        ("base_model.model.unet.mid.to_q.lora_A.weight", "unet", "unet.mid.to_q.lora_A.weight"),
        ("base_model.model.text_model.x.lora_B.weight", "unet", "text_encoder.text_model.x.lora_B.weight"),
        ("lora_unet_mid_to_q.lora_A.weight", "unet", "lora_unet_mid_to_q.lora_down.weight"),
        ("lora_te1_x.lora_B.weight", "unet", "lora_te1_x.lora_up.weight"),
        ("unet.mid.to_q.lora_A.weight", "unet", "unet.mid.to_q.lora_A.weight"),
    ],
)
def test_tensors_get_the_names_that_diffusers_finds_them_under(own: str, denoiser: str, loaded: str) -> None:
    tensors = header({own: (4, 8), "marker": (0,)}).tensors
    assert loadable_names(tensors, denoiser) == {own: loaded}


def test_a_file_in_two_ways_of_diffusers_gets_one() -> None:
    both = header({"unet.a.lora_A.weight": (4, 8), "unet.b.lora.down.weight": (4, 8)}).tensors
    assert list(loadable_names(both).values()) == ["unet.a.lora_A.weight", "unet.b.lora_A.weight"]


@pytest.mark.parametrize(
    ("stray", "says"),
    [
        ("x.lora_mid.weight", "Tucker"),
        ("x.w_norm", "normalisation"),
        ("x.lora_B.bias", "biases"),
        ("x.diff", "a full-difference adapter"),
        ("bundle_emb.word.emb", "the embedding of a word"),
        ("other.alpha", "no part of a LoRA pair"),
        ("notes", "no part of a LoRA pair"),
        ("lora_unet_y.lora_down.weight", "lacks its"),
    ],
)
def test_a_file_of_which_a_part_would_be_left_out_is_refused_by_that_part(stray: str, says: str) -> None:
    with pytest.raises(NotALora, match=says) as refused:
        describe(header(pair("x", ".lora_A.weight", ".lora_B.weight") | {stray: (4,)}))
    assert stray in str(refused.value)
    assert (refused.value.hint is None) == (says == "lacks its")


def test_the_scale_of_a_layer_may_be_named_after_its_pair() -> None:
    names = pair("x", ".lora.down.weight", ".lora.up.weight")
    assert describe(header(names | {"x.lora.alpha": ()})).layers == 1
    assert describe(header(names | {"x.alpha": ()})).layers == 1


@pytest.mark.parametrize(
    ("called", "platform"),
    [("SDXL 1.0", "stable_diffusion_xl"), ("Pony", "stable_diffusion_xl"), ("SD 1.5", "stable_diffusion_1_5"),
     ("Flux.1 D", "flux_1_dev"), ("Flux.1 S", "flux_1_schnell"), ("SD 3.5 Large", "stable_diffusion_3_5"),
     ("Wan Video", None)],
)  # fmt: skip
def test_platforms_are_known_by_the_names_of_model_sites(called: str, platform: str | None):
    assert platform_of_base_model(called) == platform
