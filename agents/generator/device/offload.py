# pyright: basic
"""Models that are larger than their device: the large parts are there only while they are needed.

Only the device's thread calls those parts. The decoder, which has a thread of its own, is small and stays.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from diffusers.hooks import group_offloading

from agents.generator.device.residency import evictions, plan_offload
from agents.shared.settings import Offload


def place_on_device(pipeline: Any, device: torch.device, budget: int, offload: Offload) -> int:
    """Move a pipeline to its device as far as it fits into `budget` bytes, or as `offload` says; returns the bytes that
    its weights fill there at most."""
    parts: dict[str, Any] = {
        name: part for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)
    }
    seating = plan_offload(
        {name: size_of(part) for name, part in parts.items()}, budget, offload, device.type == "cuda"
    )
    for name in parts.keys() - seating.in_turn - seating.by_block:
        parts[name].to(device)
    for name in seating.by_block:
        parts[name].enable_group_offload(device, num_blocks_per_group=1, use_stream=device.type == "cuda")
    PartOffloader({name: parts[name] for name in seating.in_turn}, device, seating.room_bytes)
    return seating.filled_bytes


def place_like(part: Any, other: Any, device: torch.device) -> None:
    """See that `part`, which holds weights of `other`, has them on the device when it is called, as `other` would."""
    if group_offloading._is_group_offload_enabled(other):
        part.enable_group_offload(device, num_blocks_per_group=1, use_stream=device.type == "cuda")
    for hook in other._forward_pre_hooks.values():
        part.register_forward_pre_hook(lambda _, arguments, hook=hook: hook(other, arguments))


class PartOffloader:
    """Lets the `parts` of a model, which wait at `home`, take turns in `room` bytes of a device. A part that is called
    is moved there first; where there is no space, the least recently called ones leave."""

    def __init__(self, parts: Mapping[str, Any], device: torch.device, room: int, home: str = "cpu") -> None:
        self._device = device
        self._home_device = home
        self._room = room
        self._parts_on_device: OrderedDict[str, Any] = OrderedDict()
        for name, part in parts.items():
            part.register_forward_pre_hook(lambda module, _, name=name: self._bring_to_device(name, module))

    def _bring_to_device(self, name: str, part: Any) -> None:
        if name in self._parts_on_device:
            self._parts_on_device.move_to_end(name)
            return
        held = {other: size_of(seated) for other, seated in self._parts_on_device.items()}
        for other in evictions(held, size_of(part), self._room, ()) or ():
            self._parts_on_device.pop(other).to(self._home_device)
        part.to(self._device)
        self._parts_on_device[name] = part


def size_of(part: Any) -> int:
    """Bytes of a part's weights."""
    return sum(tensor.nbytes for tensor in part.state_dict().values())
