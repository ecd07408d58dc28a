# pyright: basic, reportPrivateImportUsage=false
"""Pipelines of other kinds around the parts of one that is in memory, and the ControlNets that they follow.

Only the device's thread calls this. Nothing is fetched, no pickle is read, no code of a folder is run.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import ControlNetModel
from safetensors import SafetensorError

from agents.generator.failures import is_the_devices
from agents.generator.kinds import class_for
from agents.generator.model_folder import weight_bytes
from agents.generator.offload import size_of
from agents.generator.orders import ControlModel, Order
from protocol.errors import AcpError, Refused

MAX_HOT = 4
"""ControlNets that one pipeline keeps in memory; the least recently used goes first."""


class Variants:
    """The kinds of pictures that one pipeline's parts make. `make_room` is told the bytes of a ControlNet before it is
    loaded."""

    def __init__(self, pipeline: Any, device: torch.device, make_room: Callable[[int], object]) -> None:
        self._pipeline = pipeline
        self._device = device
        self._make_room = make_room
        self._controls: OrderedDict[tuple[Path, int], Any] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """What the ControlNets fill."""
        return sum(size_of(net) for net in self._controls.values())

    def pipeline(self, order: Order) -> Any:
        """The pipeline for an order. It is made anew, its parts are shared.

        Raises:
            AcpError: the architecture makes no such picture, or a ControlNet does not fit.
        """
        name = class_for(order.model.architecture, picture=order.start is not None, along=bool(order.controls))
        if name is None:
            raise Refused(
                "not_supported",
                f"{order.model.name} does not make a picture of this kind",
                path="$.job.init_image" if order.start else "$.job.controls",
                hint="use a model of stable_diffusion_xl",
            )
        if name == type(self._pipeline).__name__:
            return self._pipeline
        kind = getattr(diffusers, name)
        taken = inspect.signature(kind.__init__).parameters
        known = {**self._pipeline.config, **self._pipeline.components}
        parts = {part: known[part] for part in taken if part in known}
        if order.controls:
            nets = [self._control(control) for control in order.controls]
            parts["controlnet"] = nets[0] if len(nets) == 1 else nets
        variant = kind(**parts)
        variant.set_progress_bar_config(disable=True)
        return variant

    def _control(self, control: ControlModel) -> Any:
        key = (control.folder, control.folder.stat().st_mtime_ns)
        net = self._controls.pop(key, None)
        if net is None:
            self._make_room(weight_bytes(control.folder))
            net = _load(control, self._pipeline.unet, self._device)
        self._controls[key] = net
        while len(self._controls) > MAX_HOT:
            self._controls.popitem(last=False)
        return net


def _load(control: ControlModel, denoiser: Any, device: torch.device) -> Any:
    try:
        net: Any = ControlNetModel.from_pretrained(
            control.folder, torch_dtype=denoiser.dtype, use_safetensors=True, local_files_only=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        if is_the_devices(error):
            raise
        raise _unusable(control, " ".join(str(error).split())[:300]) from error
    for name in ("in_channels", "cross_attention_dim", "block_out_channels", "addition_embed_type"):
        mine, its = getattr(net.config, name), getattr(denoiser.config, name)
        if _plain(mine) != _plain(its):
            raise _unusable(control, f"its {name} is {mine}, the model's {its}")
    return net.to(device).eval().requires_grad_(False)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _unusable(control: ControlModel, reason: str) -> AcpError:
    return Refused(
        "not_installed",
        f"the ControlNet {control.said.model} ({control.folder}) cannot be used: {reason}",
        path="$.job.controls",
        hint="it must be a diffusers folder of a ControlNet for this model's platform, with safetensors weights",
    )
