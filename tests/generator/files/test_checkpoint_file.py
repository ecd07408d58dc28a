"""What the header of a single-file checkpoint tells: its platform, how it is sampled, and whether it is one."""

import struct
from pathlib import Path

import pytest

from agents.generator.files.checkpoint_file import NotACheckpoint, describe, is_checkpoint
from agents.generator.files.safetensors_header import CHECKPOINT_BOUNDS, Header, Tensor, read_header
from agents.generator.files.safetensors_rename import copy_renamed

SD = {
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.input_blocks.1.1.attn2.to_k.weight": (320, 768),
    "first_stage_model.decoder.conv_in.bias": (4,),
    "cond_stage_model.transformer.text_model.final_layer_norm.bias": (768,),
}


def header(shapes: dict[str, tuple[int, ...]], dtype: str = "F16", **metadata: str) -> Header:
    return Header({name: Tensor(dtype, shape, 0, 0) for name, shape in shapes.items()}, metadata, 0)


@pytest.mark.parametrize(
    ("more", "metadata", "prediction", "zero_snr"),
    [
        ({}, {}, "epsilon", False),
        ({"v_pred": (0,)}, {}, "v_prediction", False),
        ({"v_pred": (0,), "ztsnr": (0,)}, {}, "v_prediction", True),
        ({"ztsnr": (0,)}, {}, "epsilon", False),
        ({}, {"modelspec.prediction_type": "v"}, "v_prediction", False),
        ({"ztsnr": (0,)}, {"modelspec.prediction_type": "v_prediction"}, "v_prediction", True),
        ({}, {"modelspec.prediction_type": "epsilon"}, "epsilon", False),
    ],
)
def test_how_a_model_is_sampled_is_told_by_its_marks(
    more: dict[str, tuple[int, ...]], metadata: dict[str, str], prediction: str, zero_snr: bool
) -> None:
    found = describe(header(SD | more, **metadata))
    assert (found.platform, found.prediction, found.zero_snr) == ("stable_diffusion_1_5", prediction, zero_snr)
    assert bool(found.notes) == (prediction == "v_prediction")


def test_older_names_of_a_text_encoder_get_those_of_today() -> None:
    old = {name.replace(".text_model.", "."): shape for name, shape in SD.items()}
    found = describe(header(old))
    assert found.renamed == {
        "cond_stage_model.transformer.final_layer_norm.bias": (
            "cond_stage_model.transformer.text_model.final_layer_norm.bias"
        )
    }
    assert describe(header(SD)).renamed == {}


def test_a_model_in_fp8_is_told_to_be_less_exact() -> None:
    assert "fp8" in " ".join(describe(header(SD, "F8_E4M3")).notes)


def test_a_model_of_another_number_of_channels_is_refused() -> None:
    with pytest.raises(NotACheckpoint, match=r"a model of another kind.*reads 16 channels"):
        describe(header(SD | {"model.diffusion_model.input_blocks.0.0.weight": (320, 16, 3, 3)}))


def test_a_lora_over_a_models_blocks_is_no_model() -> None:
    assert not is_checkpoint(header({"double_blocks.0.processor.qkv_lora1.down.weight": (4, 32)}).tensors)
    assert is_checkpoint(header(SD).tensors)


def write(file: Path, text: bytes, data: bytes) -> Path:
    file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return file


def test_a_copy_has_other_names_and_the_same_values(tmp_path: Path) -> None:
    text = (
        b'{"__metadata__":{"a":"b"},"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},'
        b'"y":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}'
    )
    file = write(tmp_path / "one.safetensors", text, b"\1\2\3\4\5")
    copy_renamed(file, tmp_path / "two.safetensors", {"x": "longer.x"})
    found = read_header(tmp_path / "two.safetensors", CHECKPOINT_BOUNDS)

    assert found.metadata == {"a": "b"}
    assert {name: (one.begin, one.end) for name, one in found.tensors.items()} == {"longer.x": (0, 3), "y": (3, 5)}
    assert (tmp_path / "two.safetensors").read_bytes()[found.data :] == b"\1\2\3\4\5"
    with pytest.raises(ValueError, match="two tensors would have one name"):
        copy_renamed(file, tmp_path / "three.safetensors", {"x": "y"})
    assert not (tmp_path / "three.safetensors").exists()
