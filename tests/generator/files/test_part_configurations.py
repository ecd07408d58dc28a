"""Whether the parts of a diffusers folder go together, by their configurations alone."""

from typing import Any

import pytest

from agents.generator.files.part_configurations import find_fault

CLIP = {"max_position_embeddings": 77, "hidden_size": 768, "projection_dim": 768}
BIG_CLIP = {"max_position_embeddings": 77, "hidden_size": 1280, "projection_dim": 1280}
T5 = {"d_model": 4096}
LENGTH = {"model_max_length": 77}
SCHEDULER = {"prediction_type": "epsilon"}

SD: dict[str, dict[str, Any]] = {
    "scheduler/scheduler_config.json": SCHEDULER,
    "unet/config.json": {"cross_attention_dim": 768, "in_channels": 4},
    "vae/config.json": {"latent_channels": 4},
    "text_encoder/config.json": CLIP,
    "tokenizer/tokenizer_config.json": LENGTH,
}
XL: dict[str, dict[str, Any]] = SD | {
    "unet/config.json": {
        "cross_attention_dim": 2048,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "text_encoder_2/config.json": BIG_CLIP,
    "tokenizer_2/tokenizer_config.json": LENGTH,
}
FLUX: dict[str, dict[str, Any]] = {
    "scheduler/scheduler_config.json": {},
    "transformer/config.json": {"joint_attention_dim": 4096},
    "vae/config.json": {},
    "text_encoder/config.json": CLIP,
    "tokenizer/tokenizer_config.json": LENGTH,
    "text_encoder_2/config.json": T5,
    "tokenizer_2/tokenizer_config.json": {"model_max_length": 512},
}


def index_of(files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    parts = {path.partition("/")[0] for path in files}
    return {"_class_name": "X", "safety_checker": [None, None]} | {part: ["library", "Class"] for part in parts}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(SD, id="sd"),
        pytest.param(XL, id="xl"),
        pytest.param(
            SD
            | {
                "unet/config.json": {"cross_attention_dim": 768, "in_channels": 8},
                "vae/config.json": {"latent_channels": 8},
            },
            id="wide-latents",
        ),
        pytest.param(FLUX, id="flux"),
        pytest.param(
            SD | {"unet/config.json": {"encoder_hid_dim": 32, "cross_attention_dim": 4}}, id="a-projection-between"
        ),
        pytest.param(SD | {"text_encoder/config.json": {"max_position_embeddings": 77}}, id="a-width-that-is-not-told"),
        pytest.param(XL | {"text_encoder_2/config.json": BIG_CLIP | {"projection_dim": None}}, id="nor-a-projection"),
        pytest.param(
            {path: said for path, said in FLUX.items() if not path.startswith(("text_encoder_2", "tokenizer_2"))},
            id="flux-without-t5",
        ),
    ],
)
def test_a_folder_whose_parts_go_together_has_no_fault(files: dict[str, dict[str, Any]]) -> None:
    assert find_fault(index_of(files), files.get) is None


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        (SD | {"tokenizer/tokenizer_config.json": {"model_max_length": 256}}, "says model_max_length 256, and"),
        (SD | {"tokenizer/tokenizer_config.json": {}}, "says model_max_length nothing, and text_encoder reads 77"),
        (SD | {"tokenizer/tokenizer_config.json": {"model_max_length": 1e30}}, "set it to 77"),
        (SD | {"text_encoder/config.json": CLIP | {"hidden_size": 1024}}, "cross_attention_dim 768, and text_encoder"),
        (SD | {"unet/config.json": {"cross_attention_dim": 768, "in_channels": 9}}, "an inpainting model"),
        (SD | {"unet/config.json": {"cross_attention_dim": 768, "in_channels": 8}}, "an editing model"),
        (SD | {"vae/config.json": {"latent_channels": 16}}, "in_channels 4, and pictures of its vae have 16"),
        (XL | {"text_encoder_2/config.json": CLIP}, "text_encoder and text_encoder_2 give 1536"),
        (
            XL | {"text_encoder_2/config.json": BIG_CLIP | {"projection_dim": 1024}},
            "projection_class_embeddings_input_dim 2816, and text_encoder_2 give 2560",
        ),
        (FLUX | {"text_encoder_2/config.json": {"d_model": 2048}}, "transformer/config.json says joint_attention_dim"),
    ],
)
def test_a_fault_is_named_with_the_file_that_has_it(files: dict[str, dict[str, Any]], fault: str) -> None:
    assert fault in (find_fault(index_of(files), files.get) or "")


@pytest.mark.parametrize("part", ["scheduler/scheduler_config.json", "unet/config.json", "vae/config.json"])
def test_a_part_that_is_named_and_not_there_is_a_fault(part: str) -> None:
    files = {path: said for path, said in SD.items() if path != part}
    assert find_fault(index_of(SD), files.get) == f"it has no readable {part}"


def test_a_folder_that_names_no_scheduler_is_a_fault() -> None:
    index = index_of(SD) | {"scheduler": [None, None]}
    assert find_fault(index, SD.get) == "model_index.json names no scheduler"


def test_a_tokenizer_without_a_configuration_is_left_to_its_library() -> None:
    files = {path: said for path, said in SD.items() if not path.startswith("tokenizer")}
    assert find_fault(index_of(SD), files.get) is None


def test_a_length_beyond_all_floats_is_told_in_words() -> None:
    files = SD | {"tokenizer/tokenizer_config.json": {"model_max_length": 10**400}}
    assert "says model_max_length a number beyond all floats" in (find_fault(index_of(files), files.get) or "")
