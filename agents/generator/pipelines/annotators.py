# pyright: basic
"""Models that see depth, people's joints or segments in a reference. They are loaded from local transformers folders:
safetensors only, no code, nothing from the network."""

from collections import OrderedDict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from agents.generator.control.ade20k import PALETTE
from agents.generator.control.maps import TOOL_FOR_MAP, prepare_map
from agents.generator.control.openpose import Points, draw_skeletons
from agents.generator.device.errors import is_device_error, reason_of
from agents.generator.orders.order import ControlModel, Order
from agents.shared.picture import Rgb
from protocol.errors import Refused

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the colours that pose models were trained on (ViTPose's preprocessor_config.json)."""

MODEL_CLASSES = {
    "depth": "AutoModelForDepthEstimation",
    "pose": "VitPoseForPoseEstimation",
    "segmentation": "AutoModelForSemanticSegmentation",
}
"""The class in transformers by what it sees; imported at the first look, since most pictures follow no reference."""

MAX_MODELS, MAX_MAPS = 3, 16
"""Models that stay in memory, and maps that are remembered: a batch follows one reference in many pictures."""


class Annotators:
    """The models of one device that look at references. Only the device's thread calls this."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._models: OrderedDict[Path, Annotator] = OrderedDict()
        self._maps: OrderedDict[tuple[str, str, tuple[int, ...]], Rgb] = OrderedDict()

    def prepare_maps(self, order: Order) -> Order:
        """The order with all its maps.

        Raises:
            Refused: a folder holds no model that makes such a map.
        """
        if not order.missing_maps:
            return order
        maps = list(order.maps)
        for position in order.missing_maps:
            maps[position] = self._get_or_make_map(order.controls[position], maps[position])
        return replace(order, maps=tuple(maps), missing_maps=frozenset())

    def _get_or_make_map(self, control: ControlModel, picture: Rgb) -> Rgb:
        key = (control.spec.kind, control.spec.blob, picture.shape)
        found = self._maps.pop(key, None)
        if found is None:
            found, _ = prepare_map(control.spec.kind, picture, self._get_or_load(control).annotate)
        self._maps[key] = found
        while len(self._maps) > MAX_MAPS:
            self._maps.popitem(last=False)
        return found

    def _get_or_load(self, control: ControlModel) -> "Annotator":
        folder, kind = control.annotator, TOOL_FOR_MAP[control.spec.kind]
        assert folder is not None, "a map that no model makes is refused before"
        model = self._models.pop(folder, None) or Annotator(kind, folder, self._device)
        self._models[folder] = model
        while len(self._models) > MAX_MODELS:
            self._models.popitem(last=False)
        return model


class Annotator:
    """A model in memory that makes maps of one kind. Only the device's thread calls this."""

    def __init__(self, kind: str, folder: Path, device: torch.device) -> None:
        """Load a folder.

        Raises:
            Refused: it holds no such model.
        """
        import transformers

        safe = {"local_files_only": True, "trust_remote_code": False}
        try:
            # That of poses needs scipy; `joints_from_heat` does without.
            self._processor: Any = (
                None if kind == "pose" else transformers.AutoImageProcessor.from_pretrained(folder, **safe)
            )
            self._model: Any = getattr(transformers, MODEL_CLASSES[kind]).from_pretrained(
                folder, use_safetensors=True, **safe
            )
        except Exception as error:
            if is_device_error(error):
                raise
            raise Refused(
                "not_installed",
                f"{folder} holds no model that sees {kind}: {reason_of(error)}",
                hint="it must be a folder of transformers with safetensors weights",
            ) from error
        self._model.to(device).eval()
        self._kind, self._device = kind, device

    @torch.no_grad()
    def annotate(self, picture: Rgb) -> Rgb:
        """The map of a picture, of its size."""
        height, width, _ = picture.shape
        match self._kind:
            case "depth":
                return depth_map(self._estimate_nearness(picture))
            case "segmentation":
                outputs = self._model(**self._inputs(picture))
                classes = self._processor.post_process_semantic_segmentation(outputs, target_sizes=[(height, width)])[0]
                return np.array(PALETTE, np.uint8)[classes.cpu().numpy() % len(PALETTE)]
            case _:
                return draw_skeletons([self._estimate_joints(picture)], height, width)

    def _estimate_nearness(self, picture: Rgb) -> NDArray[np.float32]:
        """Nearness, (height, width), in no unit."""
        height, width, _ = picture.shape
        found = self._model(**self._inputs(picture)).predicted_depth[:, None].float()
        larger = torch.nn.functional.interpolate(found, (height, width), mode="bicubic", align_corners=False)
        return larger[0, 0].cpu().numpy()

    def _estimate_joints(self, picture: Rgb) -> Points:
        """The joints of one person, for whom the whole picture is taken: no detector looks for several."""
        high, wide = self._model.config.backbone_config.image_size
        height, width, _ = picture.shape
        scale = min(high / height, wide / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        framed = np.zeros((high, wide, 3), np.uint8)
        framed[: size[1], : size[0]] = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR))
        rows = ((framed / 255 - IMAGENET_MEAN) / IMAGENET_DEVIATION).astype(np.float32)
        pixels = torch.from_numpy(rows).permute(2, 0, 1)[None].to(self._device)
        heat = self._model(pixels).heatmaps[0].float().cpu().numpy()
        return joints_from_heat(heat) * (wide / heat.shape[2] / scale, high / heat.shape[1] / scale, 1)

    def _inputs(self, picture: Rgb) -> dict[str, torch.Tensor]:
        inputs = self._processor(images=Image.fromarray(picture), return_tensors="pt")
        return {name: tensor.to(self._device) for name, tensor in inputs.items()}


def joints_from_heat(heat: NDArray[np.float32]) -> Points:
    """The hottest place of each joint in heat maps (joints, height, width): (joints, 3), each (x, y, heat)."""
    _, height, width = heat.shape
    flat = heat.reshape(len(heat), -1)
    y, x = np.unravel_index(flat.argmax(1), (height, width))
    return np.stack([x + 0.5, y + 0.5, flat.max(1)], axis=1)


def depth_map(nearness: NDArray[np.float32]) -> Rgb:
    """Grey by nearness, the nearest white."""
    low, high = float(nearness.min()), float(nearness.max())
    grey = ((nearness - low) / max(high - low, 1e-6) * 255).round().astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)
