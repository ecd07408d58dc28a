# pyright: basic, reportPrivateImportUsage=false
"""Pipelines of other kinds around the parts of one that is in memory, and what they have beside those.

Only the device's thread calls this. Nothing is fetched, no pickle is read, no code of a folder is run.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import ControlNetModel
from safetensors import SafetensorError

from agents.generator.architectures import ARCHITECTURES
from agents.generator.device.errors import is_device_error
from agents.generator.files.model_folder import weight_bytes
from agents.generator.orders.order import ControlModel, MotionModel, Order
from agents.generator.pipelines.motion_adapter import build_motion_denoiser, check_frame_count
from protocol.errors import AcpError, Refused

MAX_HOT_NETS = 4
"""ControlNets and denoisers for sequences that one pipeline keeps in memory; the least recently used goes first."""


class PipelineVariants:
    """The kinds of pictures that one pipeline's parts make. `make_room` is told the bytes of a ControlNet or a
    motion adapter before it is loaded."""

    def __init__(self, pipeline: Any, device: torch.device, make_room: Callable[[int], object]) -> None:
        self._pipeline = pipeline
        self._device = device
        self._make_room = make_room
        self._hot_nets: OrderedDict[tuple[Path, int], Any] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """What ControlNets and motion adapters fill; a denoiser for sequences has the rest from the pipeline's own."""
        if not self._hot_nets:
            return 0
        shared = {id(weight) for weight in self._pipeline.unet.parameters()}
        every = (weight for net in self._hot_nets.values() for weight in net.parameters())
        return sum(weight.nbytes for weight in every if id(weight) not in shared)

    def pipeline_for(self, order: Order) -> Any:
        """The pipeline for an order. It is made anew, its parts are shared.

        Raises:
            AcpError: the architecture makes no such picture, or a ControlNet does not fit.
        """
        if order.motion is not None:
            return self._motion_pipeline(order, order.motion)
        picture, along = order.start_image is not None, bool(order.controls)
        name = order.model.family.pipelines.class_for(picture=picture, along=along)
        if name is None:
            able = (one.name for one in ARCHITECTURES.values() if one.pipelines.class_for(picture=picture, along=along))
            raise Refused(
                "not_supported",
                f"{order.model.name} does not make a picture of this kind",
                path="$.job.pixels.init_image" if order.start_image else "$.job.pixels.controls",
                hint=f"use a model of {' or '.join(able)}",
            )
        if name == type(self._pipeline).__name__:
            return self._pipeline
        nets = [self._get_or_load(control.folder, partial(_load_controlnet, control)) for control in order.controls]
        return self._build_around(name, {"controlnet": nets[0] if len(nets) == 1 else nets} if nets else {})

    def _motion_pipeline(self, order: Order, motion: MotionModel) -> Any:
        denoiser = self._get_or_load(motion.folder, partial(build_motion_denoiser, motion))
        check_frame_count(denoiser, motion)
        name = order.model.family.pipelines.sequence
        assert name is not None, "the registry has motion adapters for families with such a pipeline alone"
        return self._build_around(name, {"unet": denoiser, "motion_adapter": None})

    def _build_around(self, name: str, own: Mapping[str, Any]) -> Any:
        """A pipeline of a class of diffusers, with parts of its `own` and else those that are in memory."""
        kind = getattr(diffusers, name)
        taken = inspect.signature(kind.__init__).parameters
        known = {**self._pipeline.config, **self._pipeline.components, **own}
        variant = kind(**{part: known[part] for part in taken if part in known})
        variant.set_progress_bar_config(disable=True)
        return variant

    def _get_or_load(self, folder: Path, load: Callable[[Any, torch.device], Any]) -> Any:
        """What `load` makes of a folder for the pipeline's denoiser, kept while it is among those used last."""
        key = (folder, folder.stat().st_mtime_ns)
        net = self._hot_nets.pop(key, None)
        if net is None:
            self._make_room(weight_bytes(folder))
            net = load(self._pipeline.unet, self._device)
        self._hot_nets[key] = net
        while len(self._hot_nets) > MAX_HOT_NETS:
            self._hot_nets.popitem(last=False)
        return net


def _load_controlnet(control: ControlModel, denoiser: Any, device: torch.device) -> Any:
    try:
        net: Any = ControlNetModel.from_pretrained(
            control.folder, dtype=denoiser.dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if is_device_error(error):
            raise
        raise _unusable_error(control, " ".join(str(error).split())[:300]) from error
    for name in ("in_channels", "cross_attention_dim", "block_out_channels", "addition_embed_type"):
        mine, its = getattr(net.config, name), getattr(denoiser.config, name)
        if _comparable_value(mine) != _comparable_value(its):
            raise _unusable_error(control, f"its {name} is {mine}, the model's {its}")
    return net.to(device).eval().requires_grad_(False)


def _comparable_value(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _unusable_error(control: ControlModel, reason: str) -> AcpError:
    return Refused(
        "not_installed",
        f"the ControlNet {control.spec.model} ({control.folder}) cannot be used: {reason}",
        path="$.job.pixels.controls",
        hint="it must be a diffusers folder of a ControlNet for this model's platform, with safetensors weights",
    )
