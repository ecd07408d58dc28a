# pyright: basic, reportOptionalOperand=false, reportOperatorIssue=false, reportOptionalMemberAccess=false
"""Upscaling: tiles that cover without seams, networks known by their tensors, and pictures enlarged as a whole."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from safetensors.torch import save_file

from agents.generator.files.rrdb_file import NotAnUpscaler, RrdbFile, describe
from agents.generator.files.safetensors_header import Header, Tensor, UnsoundFile
from agents.generator.upscale.network import Network
from agents.generator.upscale.rrdb import Rrdb
from agents.generator.upscale.tiles import process_in_tiles, spans, tile_weights
from protocol.errors import Refused

CPU = torch.device("cpu")
TINY = RrdbFile(features=8, blocks=2, growth=4, doublings=2, squeeze=1, tensor_names={})


def network(form: RrdbFile = TINY) -> Rrdb:
    """A random network with as much contrast as a picture has."""
    torch.manual_seed(0)
    found = Rrdb(form).requires_grad_(False)
    for name, tensor in found.named_parameters():
        tensor *= 0 if name.endswith("bias") else 2.2
    found.conv_last.bias += 0.5
    return found


def save_network(file: Path, doublings: int) -> None:
    """A network's file; of no doubling one that keeps the size."""
    save_file(network(replace(TINY, doublings=doublings)).state_dict(), file)


def save_doubling(file: Path) -> None:
    """A network that doubles each pixel and changes nothing else."""
    plain = Rrdb(replace(TINY, doublings=1)).requires_grad_(False)
    for name, tensor in plain.named_parameters():
        tensor.zero_()
        if name in ("conv_first.weight", "conv_up1.weight", "conv_hr.weight", "conv_last.weight"):
            tensor[range(3), range(3), 1, 1] = 1
    save_file(plain.state_dict(), file)


def save_foreign(file: Path) -> None:
    """A file with the tensors of another family."""
    save_file({"layers.0.weight": torch.zeros(1)}, file)


def old_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """In the first ESRGAN's naming, for two doublings and two blocks."""
    names = {"conv_first": "model.0", "conv_body": "model.1.sub.2", "conv_up1": "model.3", "conv_up2": "model.6"}
    names |= {"conv_hr": "model.8", "conv_last": "model.10"}
    renamed = {}
    for name, tensor in tensors.items():
        layer, _, kind = name.rpartition(".")
        if layer.startswith("body."):
            _, block, dense, conv = layer.split(".")
            layer = f"model.1.sub.{block}.{dense.upper()}.{conv}.0"
        renamed[f"{names.get(layer, layer)}.{kind}"] = tensor
    return renamed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(network().state_dict(), tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def enlarged(file: Path, pixels: np.ndarray, tile: int = 256, overlap: int = 32) -> np.ndarray:
    network = Network(file, CPU)
    return process_in_tiles(pixels, network.scale, tile, overlap, network.apply)


@given(length=some.integers(1, 3000), tile=some.integers(16, 300), part=some.floats(0.01, 0.9))
def test_tiles_cover_a_side_and_their_weights_fill_every_pixel(length: int, tile: int, part: float):
    overlap = int(tile * part)
    cut = spans(length, tile, overlap)
    assert (cut[0][0], cut[-1][1]) == (0, length)
    assert all(end - begin == min(tile, length) for begin, end in cut)
    assert all(before[1] - after[0] >= overlap for before, after in pairwise(cut))
    total = np.zeros(length)
    for span in cut:
        total[slice(*span)] += tile_weights(span, length, overlap)
    assert total.min() > 0


@pytest.mark.parametrize(
    ("length", "tile", "overlap", "cut"),
    [(100, 256, 32, [(0, 100)]), (256, 256, 32, [(0, 256)]), (300, 256, 32, [(0, 256), (44, 300)]),
     (480, 256, 32, [(0, 256), (224, 480)]), (600, 256, 32, [(0, 256), (172, 428), (344, 600)])],
)  # fmt: skip
def test_tiles_are_as_few_as_overlap_allows(length: int, tile: int, overlap: int, cut: list[tuple[int, int]]):
    assert spans(length, tile, overlap) == cut


def test_tiles_leave_no_seam_where_they_overlap_and_would_without(file: Path):
    def off(overlap: int) -> int:
        """The largest difference to the picture enlarged as a whole, 0 to 255."""
        tiled = enlarged(file, picture(64, 128), tile=72, overlap=overlap)
        return np.abs(whole.astype(int) - tiled).max()

    whole = enlarged(file, picture(64, 128))
    assert whole.shape == (256, 512, 3)
    assert off(overlap=0) > 50
    assert off(overlap=16) <= 2


@pytest.mark.parametrize(("doublings", "squeeze", "scale"), [(2, 1, 4), (2, 2, 2), (2, 4, 1), (0, 1, 1), (3, 1, 8)])
def test_networks_that_squeeze_enlarge_less_and_take_odd_sizes(
    tmp_path: Path, doublings: int, squeeze: int, scale: int
):
    form = RrdbFile(features=8, blocks=1, growth=4, doublings=doublings, squeeze=squeeze, tensor_names={})
    save_file(network(form).state_dict(), tmp_path / "net.safetensors")
    assert Network(tmp_path / "net.safetensors", CPU).scale == scale
    assert enlarged(tmp_path / "net.safetensors", picture(17, 23)).shape == (17 * scale, 23 * scale, 3)


@pytest.mark.parametrize("naming", ["plain", "params_ema", "first"])
def test_both_namings_of_esrgan_are_one_network(tmp_path: Path, file: Path, naming: str):
    tensors = network().state_dict()
    named = old_names(tensors) if naming == "first" else tensors
    prefix = "params_ema." if naming == "params_ema" else ""
    save_file({prefix + name: tensor for name, tensor in named.items()}, tmp_path / "other.safetensors")
    ours, theirs = (enlarged(one, picture(16, 16)) for one in (file, tmp_path / "other.safetensors"))
    assert np.array_equal(ours, theirs)


def test_a_file_of_another_network_is_refused(tmp_path: Path):
    tensors = network().state_dict()
    odd = {
        "lacking": {name: tensor for name, tensor in tensors.items() if name != "conv_hr.bias"},
        "more": tensors | {"extra.weight": torch.zeros(1)},
        "misshapen": tensors | {"conv_last.weight": torch.zeros(4, 8, 3, 3)},
        "channels": tensors | {"conv_first.weight": torch.zeros(8, 5, 3, 3)},
    }
    for name, content in odd.items():
        save_file(content, tmp_path / f"{name}.safetensors")
        with pytest.raises(NotAnUpscaler):
            Network(tmp_path / f"{name}.safetensors", CPU)
    save_file({"body.0.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "foreign.safetensors")
    with pytest.raises(Refused) as refused:
        Network(tmp_path / "foreign.safetensors", CPU)
    assert "bottega[restore]" in (refused.value.body.hint or "")
    save_file(tensors | {"conv_last.bias": torch.full((3,), torch.inf)}, tmp_path / "infinite.safetensors")
    with pytest.raises(UnsoundFile):
        Network(tmp_path / "infinite.safetensors", CPU)


def test_the_usual_network_is_known_by_its_header():
    form = RrdbFile(features=64, blocks=23, growth=32, doublings=2, squeeze=1, tensor_names={})
    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in Rrdb(form).state_dict().items()}
    found = describe(Header({name: Tensor("F32", shape, 0, 0) for name, shape in shapes.items()}, {}, 0))
    assert (found.features, found.blocks, found.growth, found.scale) == (64, 23, 32, 4)
    assert len(shapes) == 702


def test_a_network_that_only_doubles_pixels_does_so_across_all_its_tiles(tmp_path: Path):
    save_doubling(tmp_path / "x2.safetensors")
    pixels = picture(40, 70)
    larger = enlarged(tmp_path / "x2.safetensors", pixels, tile=32, overlap=8)
    assert np.array_equal(larger, pixels.repeat(2, 0).repeat(2, 1))
