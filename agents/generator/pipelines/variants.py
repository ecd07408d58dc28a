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

from agents.generator.architectures import ARCHITECTURES
from agents.generator.device.errors import is_device_error, reason_of
from agents.generator.files.model_folder import WeightFiles, weight_bytes, weight_files
from agents.generator.orders.order import ControlModel, MotionModel, Order
from agents.generator.pipelines.motion_adapter import build_motion_denoiser, check_frame_count, unusable_motion_error
from agents.generator.pipelines.mounting import MountGuard
from bus.failpoint import pass_failpoint
from protocol.errors import AcpError, Refused

MAX_HOT_NETS = 4
"""ControlNets and denoisers for sequences that one pipeline keeps in memory; the least recently used goes first."""


PARTS_THAT_DRAW = (
    "unet",
    "transformer",
    "controlnet",
    "text_encoder",
    "text_encoder_2",
    "text_encoder_3",
    "vae",
    "movq",
)
"""Names of a pipeline's models."""


class PipelineVariants:
    """The kinds of pictures that one pipeline's parts make. `make_room` is told the bytes of a ControlNet or a
    motion adapter before it is loaded."""

    def __init__(
        self, pipeline: Any, device: torch.device, make_room: Callable[[int], object], guard: MountGuard
    ) -> None:
        self._pipeline = pipeline
        self._guard = guard
        self._device = device
        self._make_room = make_room
        self._hot_nets: OrderedDict[tuple[Path, WeightFiles], Any] = OrderedDict()

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
        nets = [
            self._get_or_load(control.folder, partial(_load_controlnet, control), partial(_unusable_error, control))
            for control in order.controls
        ]
        own = {"controlnet": nets[0] if len(nets) == 1 else nets} if nets else {}
        return self._build_around(name, own, partial(_unusable_error, order.controls[0] if nets else None))

    def _motion_pipeline(self, order: Order, motion: MotionModel) -> Any:
        unusable = partial(unusable_motion_error, motion)
        denoiser = self._get_or_load(motion.folder, partial(build_motion_denoiser, motion), unusable)
        check_frame_count(denoiser, motion)
        name = order.model.family.pipelines.sequence
        assert name is not None, "the registry has motion adapters for families with such a pipeline alone"
        return self._build_around(name, {"unet": denoiser, "motion_adapter": None}, unusable)

    def _build_around(self, name: str, own: Mapping[str, Any], unusable: Callable[[str], AcpError]) -> Any:
        """A pipeline of a class of diffusers, with parts of its `own` and else those that are in memory."""
        kind = getattr(diffusers, name)
        taken = inspect.signature(kind.__init__).parameters
        known = {**self._pipeline.config, **self._pipeline.components, **own}
        with self._guard.switching(unusable):
            variant = kind(**{part: known[part] for part in taken if part in known})
            variant.set_progress_bar_config(disable=True)
            pass_failpoint("mount.variant_built")
            _check_parts(variant, known)
        return variant

    def _get_or_load(
        self, folder: Path, load: Callable[[Any, torch.device], Any], unusable: Callable[[str], AcpError]
    ) -> Any:
        """What `load` makes of a folder for the pipeline's denoiser, kept while it is among those used last."""
        key = (folder, weight_files(folder))
        net = self._hot_nets.pop(key, None)
        if net is None:
            self._make_room(weight_bytes(folder))
            # Only what is loaded beside the model is new; there is nothing to take back.
            with self._guard.changing(lambda: None, unusable):
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
        pass_failpoint("mount.control_loaded")
    except Exception as error:
        if is_device_error(error):
            raise
        raise _unusable_error(control, reason_of(error)) from error
    for name in ("in_channels", "cross_attention_dim", "block_out_channels", "addition_embed_type"):
        mine, its = getattr(net.config, name), getattr(denoiser.config, name)
        if _comparable_value(mine) != _comparable_value(its):
            raise _unusable_error(control, f"its {name} is {mine}, the model's {its}")
    return net.to(device).eval().requires_grad_(False)


def _check_parts(variant: Any, known: Mapping[str, Any]) -> None:
    """Compare what a pipeline was built of with what it was to be built of.

    Raises:
        ValueError: it differs.
    """
    for name, part in variant.components.items():
        wanted = known.get(name)
        held = list(part.nets) if isinstance(wanted, list) else part
        if wanted is not None and (held != wanted if isinstance(wanted, list) else held is not wanted):
            raise ValueError(f"its {name} is another than asked for")


def _comparable_value(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _unusable_error(control: ControlModel | None, reason: str) -> AcpError:
    if control is None:
        return Refused(
            "not_supported",
            f"the model makes no picture of this kind: {reason}",
            path="$.job.pixels.init_image",
            hint="leave the picture out that it is to begin from, or use another model",
        )
    return Refused(
        "not_installed",
        f"the ControlNet {control.spec.model} ({control.folder}) cannot be used: {reason}",
        path="$.job.pixels.controls",
        hint="it must be a diffusers folder of a ControlNet for this model's platform, with safetensors weights",
    )
