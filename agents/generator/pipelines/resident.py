# pyright: basic, reportPrivateImportUsage=false
"""Pipelines in memory: loaded from local diffusers folders, kept while they fit, least recently used out first.

Only the device's thread calls this. Nothing is fetched, no pickle is read, no code of a model's folder is run.
"""

import os
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import msgspec
import torch

from agents.generator.architectures.architecture import CLASSES
from agents.generator.device.errors import UNLOADABLE, is_the_devices, unloadable
from agents.generator.device.offload import place
from agents.generator.device.residency import evictions
from agents.generator.device.tuning import PLAIN, Tuning, tune
from agents.generator.files import model_folder
from agents.generator.orders.order import Order
from agents.generator.pipelines.ip_adapters import IpAdapters
from agents.generator.pipelines.loras import Adapters
from agents.generator.pipelines.textual_inversion import LearnedWords
from agents.generator.pipelines.variants import Variants
from agents.generator.registry import samplers
from agents.generator.registry.entries import Model

MEMORY_SHARE = {"cpu": 0.4, "mps": 0.5}
"""Part of the machine's memory that weights may fill, where other processes live in it too."""

GPU_SHARE = 0.75
"""Part of a GPU's memory that weights may fill: the rest is for the latents and the decoder's peak."""


@dataclass(frozen=True)
class Resident:
    """A diffusers pipeline on the device. `scheduler` is the configuration that came with the model; `number` tells it
    from the same model when it is loaded again; `own_bytes` are what its own weights fill of the device at most."""

    number: int
    model: Model
    pipeline: Any
    scheduler: dict[str, Any]
    adapters: Adapters
    ip_adapters: IpAdapters
    words: LearnedWords
    variants: Variants
    own_bytes: int

    @property
    def size_bytes(self) -> int:
        """What it fills with its ControlNets and IP-Adapters."""
        return self.own_bytes + self.variants.size_bytes + self.ip_adapters.size_bytes

    def prepare(self, order: Order) -> None:
        """Make the model work as the next call for an order needs it: with its LoRAs and IP-Adapters, and no others.

        Raises:
            AcpError: one of them does not fit the model.
        """
        self.adapters.use(order.adapters)
        self.ip_adapters.use(order.ip_adapters)


class Pipelines:
    """The resident pipelines of one device; `budget` are the bytes that they may fill, null for the device's."""

    def __init__(self, device: torch.device, tuning: Tuning = PLAIN, budget: int | None = None) -> None:
        self._device = device
        self._tuning = tuning
        self._budget = _budget(device) if budget is None else budget
        self._resident: OrderedDict[str, Resident] = OrderedDict()
        self._loaded = 0
        self._measured: dict[str, int] = {}
        self._busy: frozenset[str] = frozenset()

    @property
    def compiled(self) -> bool:
        """Whether denoisers are compiled for each size of their calls."""
        return self._tuning.compile is not None

    @property
    def names(self) -> Collection[str]:
        """The models that are in memory, least recently used first."""
        return self._resident.keys()

    def get(self, model: Model, folder: Path, busy: Collection[str] = ()) -> Resident | None:
        """The pipeline of a model, loaded if need be; null while there is no room for it beside the models named in
        `busy`, which stay.

        Raises:
            AcpError: the folder is not a complete, safe diffusers folder.
        """
        self._busy = frozenset((*busy, model.name))
        resident = self._resident.pop(model.name, None)
        if resident is None:
            # Files may be of another precision than the weights in memory: what was measured once is better.
            if not self._make_room(self._measured.get(model.name) or model_folder.weight_bytes(folder), busy):
                return None
            return self.hold(model, _read(model, folder, self._device))
        self._resident[model.name] = resident
        return resident

    def hold(self, model: Model, pipeline: Any) -> Resident:
        """Put a pipeline that was read, or built, on the device.

        Raises:
            AcpError: this machine lacks what it is tuned for.
        """
        pipeline.set_progress_bar_config(disable=True)
        self._loaded += 1
        resident = Resident(
            number=self._loaded,
            model=model,
            pipeline=pipeline,
            scheduler=samplers.configuration(pipeline.scheduler.config),
            adapters=Adapters(pipeline),
            ip_adapters=IpAdapters(pipeline, self._device, lambda needed: self._make_room(needed, self._busy)),
            words=LearnedWords(pipeline),
            variants=Variants(pipeline, self._device, lambda needed: self._make_room(needed, self._busy)),
            own_bytes=place(pipeline, self._device, self._budget, self._tuning.offload),
        )
        tune(pipeline, self._tuning, self._device)
        self._measured[model.name] = resident.own_bytes
        self._resident[model.name] = resident
        return resident

    def _make_room(self, needed: int, busy: Collection[str]) -> bool:
        """Whether `needed` bytes fit, after others were let go for them."""
        held = {name: resident.size_bytes for name, resident in self._resident.items()}
        gone = evictions(held, needed, self._budget, busy)
        for name in gone or ():
            del self._resident[name]
        if gone:
            self._free()
        return gone is not None

    def _free(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _read(model: Model, folder: Path, device: torch.device) -> Any:
    dtype = torch.float32 if device.type == "cpu" else getattr(torch, model.dtype)
    try:
        pipeline = model_folder.read(_pipeline_class(model, folder), folder, dtype)
    except UNLOADABLE as error:
        if is_the_devices(error):
            raise
        raise unloadable(model, folder, error) from error
    if model.architecture == "stable_diffusion_xl" and dtype == torch.float16:
        # Its decoder leaves the range of float16 (`force_upcast` of its configuration), not that of bfloat16.
        pipeline.vae.to(torch.bfloat16)
    return pipeline


def _pipeline_class(model: Model, folder: Path) -> Any:
    index = msgspec.json.decode((folder / "model_index.json").read_bytes(), type=dict[str, Any])
    # A folder that names another class is not loaded.
    expected, found = CLASSES[model.architecture].noise, index.get("_class_name")
    if found != expected:
        raise ValueError(f"model_index.json names a {found}, but {model.architecture} is a {expected}")
    return getattr(diffusers, expected)


def _budget(device: torch.device) -> int:
    """Bytes that weights may fill."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(machine * MEMORY_SHARE[device.type])
