# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportCallIssue=false
"""Maps for ControlNets: made of a reference, or known for what they are; models that look are real and tiny."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter
from transformers import (
    DPTConfig,
    DPTForDepthEstimation,
    DPTImageProcessor,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SegformerImageProcessor,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

from agents.generator.control.ade20k import PALETTE
from agents.generator.control.map_checks import is_map
from agents.generator.control.maps import normal_map, prepare_map
from agents.generator.control.openpose import draw_skeletons
from agents.generator.pipelines.annotators import Annotator, depth_map, joints_from_heat
from agents.shared.picture import Rgb
from protocol.errors import AcpError
from protocol.parameters import ControlKind

CPU = torch.device("cpu")
KINDS: tuple[ControlKind, ...] = get_args(ControlKind)
SIZE = 256


def person(x: float = 0.0) -> np.ndarray:
    """Joints of somebody who stands upright, in COCO's order."""
    face = [(128, 40), (134, 34), (122, 34), (142, 38), (114, 38)]
    arms = [(160, 80), (96, 80), (180, 120), (76, 120), (190, 160), (66, 160)]
    legs = [(150, 160), (106, 160), (152, 200), (104, 200), (154, 240), (102, 240)]
    return np.array([(px + x, py, 1.0) for px, py in [*face, *arms, *legs]])


def ball() -> Rgb:
    """Depth of a ball before a slope."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32)
    return depth_map(np.maximum(np.sqrt(np.clip(80**2 - (x - 128) ** 2 - (y - 128) ** 2, 0, None)), y / 8))


def regions() -> Rgb:
    """Twelve regions in colours of ADE20K."""
    seeds = np.random.default_rng(1).integers(0, SIZE, (12, 2))
    y, x = np.mgrid[:SIZE, :SIZE]
    nearest = np.argmin([(y - sy) ** 2 + (x - sx) ** 2 for sy, sx in seeds], axis=0)
    return np.array(PALETTE, np.uint8)[nearest * 7]


def photograph() -> Rgb:
    """Blurred noise in colours with some grain: neither flat nor smooth nor of two colours."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)).filter(ImageFilter.GaussianBlur(6))
    stretched = (np.asarray(noise).astype(float) - 128) * 6 + 128 + random.normal(0, 8, (SIZE, SIZE, 3))
    return stretched.clip(0, 255).astype(np.uint8)


def grey(picture: Rgb) -> Rgb:
    return np.repeat(picture.mean(2, keepdims=True).astype(np.uint8), 3, axis=2)


MAPS: dict[str, Callable[[], Rgb]] = {
    "canny": lambda: prepare_map("canny", regions())[0],
    "depth": ball,
    "normal": lambda: normal_map(ball()),
    "pose": lambda: draw_skeletons([person(), person(-40)], SIZE, SIZE),
    "segmentation": regions,
}


def as_jpeg(picture: Rgb) -> Rgb:
    """What is left of a picture that somebody saved at the usual quality."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=85)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("saved", [lambda picture: picture, as_jpeg], ids=["as-made", "as-jpeg"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_map_is_known_for_its_kind_and_for_no_other(kind: str, saved: Callable[[Rgb], Rgb]):
    assert [one for one in KINDS if is_map(one, saved(MAPS[kind]()))] == [kind]


@pytest.mark.parametrize(
    "picture",
    [photograph(), grey(photograph()), np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)],
    ids=["photograph", "grey-photograph", "black", "white"],
)
def test_other_pictures_are_no_maps(picture: Rgb):
    assert not [kind for kind in KINDS if is_map(kind, picture)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_is_taken_as_it_is_and_a_photograph_is_prepared(kind: ControlKind):
    made = MAPS[kind]()
    same, was_prepared = prepare_map(kind, made, lambda picture: np.zeros_like(picture))
    assert same is made
    assert not was_prepared
    other, was_prepared = prepare_map(kind, photograph(), lambda picture: ball())
    assert was_prepared
    assert other.shape == made.shape
    assert other.dtype == np.uint8


def test_what_needs_a_model_says_so_where_there_is_none():
    with pytest.raises(ValueError, match="depth"):
        prepare_map("depth", photograph())


def test_normals_of_a_ball_look_away_from_its_middle():
    directions = normal_map(ball()).astype(int)
    left, right, top, bottom = directions[128, 90], directions[128, 166], directions[90, 128], directions[166, 128]
    assert left[0] < 118 < 138 < right[0]
    assert bottom[1] < 118 < 138 < top[1]
    assert abs(directions[128, 128] - (128, 128, 255)).max() <= 4


def test_a_joint_that_is_not_seen_is_left_out_with_its_limbs():
    whole, without = person(), person()
    without[9, 2] = 0.1
    both = [draw_skeletons([points], SIZE, SIZE).astype(int) for points in (whole, without)]
    changed = np.argwhere(abs(both[0] - both[1]).max(2) > 0)
    assert len(changed)
    assert changed.min(0)[0] >= 110
    assert changed.min(0)[1] >= 170


def tiny_depth(folder: Path) -> None:
    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5], is_hybrid=False,
    )  # fmt: skip
    model = DPTForDepthEstimation(config)
    # A random head is below its ReLU everywhere.
    torch.nn.init.ones_(model.head.head[-2].bias)
    model.save_pretrained(folder)
    DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def tiny_segments(folder: Path) -> None:
    config = SegformerConfig(
        num_labels=150, hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
    )  # fmt: skip
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)


def tiny_pose(folder: Path) -> None:
    backbone = {
        "model_type": "vitpose_backbone", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": [256, 192], "patch_size": [16, 16], "out_indices": [1],
    }  # fmt: skip
    config = VitPoseConfig(backbone_config=backbone, num_labels=17)
    VitPoseForPoseEstimation(config).save_pretrained(folder)


@pytest.mark.parametrize(
    ("kind", "build"), [("depth", tiny_depth), ("segmentation", tiny_segments), ("pose", tiny_pose)]
)
def test_models_that_look_make_maps_of_the_pictures_size(kind: str, build: Callable[[Path], None], tmp_path: Path):
    torch.manual_seed(0)
    build(tmp_path / kind)
    annotator = Annotator(kind, tmp_path / kind, CPU)
    found = annotator.annotate(photograph()[:200])
    assert (found.shape, found.dtype) == ((200, SIZE, 3), np.uint8)
    assert np.array_equal(found, annotator.annotate(photograph()[:200]))
    if kind == "segmentation":
        assert {tuple(colour) for colour in found.reshape(-1, 3).tolist()} <= set(PALETTE)
    if kind == "depth":
        assert (found.min(), found.max()) == (0, 255)


def test_joints_are_where_the_heat_is():
    heat = np.zeros((17, 64, 48), np.float32)
    heat[np.arange(17), np.arange(17) + 3, np.arange(17)] = np.linspace(0.1, 0.9, 17)
    found = joints_from_heat(heat)
    assert found.shape == (17, 3)
    assert found[5].tolist() == pytest.approx([5.5, 8.5, 0.35])


def test_a_folder_without_such_a_model_is_refused(tmp_path: Path):
    tiny_depth(tmp_path / "depth")
    weights = tmp_path / "depth" / "model.safetensors"
    weights.rename(weights.with_name("pytorch_model.bin"))
    for folder in (tmp_path / "depth", tmp_path / "nowhere"):
        with pytest.raises(AcpError) as refused:
            Annotator("depth", folder, CPU)
        assert refused.value.code == "not_installed"
