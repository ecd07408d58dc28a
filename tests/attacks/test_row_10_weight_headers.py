"""Row 10 of the attack table, hostile safetensors: headers that promise what no model has are refused."""

import json
from pathlib import Path

import pytest

from agents.generator.files.lora_file import MAX_RANK, NotALora, _check_ranks  # pyright: ignore[reportPrivateUsage]
from agents.generator.files.safetensors_header import ADAPTER_BOUNDS, Tensor, UnsoundFile, read_header


def _file(folder: Path, tensors: dict[str, object]) -> Path:
    header = json.dumps(tensors).encode()
    file = folder / "one.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    return file


def test_an_empty_tensor_of_a_huge_side_is_refused(tmp_path: Path) -> None:
    """Row 10."""
    file = _file(tmp_path, {"a": {"dtype": "F16", "shape": [1 << 30, 0], "data_offsets": [0, 0]}})
    with pytest.raises(UnsoundFile, match="is empty"):
        read_header(file, ADAPTER_BOUNDS)


def test_more_tensors_than_a_model_has_are_refused(tmp_path: Path) -> None:
    """Row 10."""
    entry = {"dtype": "F16", "shape": [0], "data_offsets": [0, 0]}
    with pytest.raises(UnsoundFile, match="tensors, more than"):
        read_header(_file(tmp_path, {f"t{number}": entry for number in range(20_001)}), ADAPTER_BOUNDS)


@pytest.mark.parametrize("rank", [0, MAX_RANK + 1, 1 << 30])
def test_a_rank_that_no_layer_can_use_is_refused(rank: int) -> None:
    """Row 10."""
    with pytest.raises(NotALora, match="rank"):
        _check_ranks({"layer": (Tensor("F16", (rank, 8), 0, 0), Tensor("F16", (8, rank), 0, 0))})
