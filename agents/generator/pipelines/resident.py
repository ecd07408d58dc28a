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

from agents.generator.device.errors import is_device_error, unloadable_error
from agents.generator.device.offload import place_on_device
from agents.generator.device.residency import evictions
from agents.generator.device.tuning import DEFAULT_TUNING, Tuning, tune
from agents.generator.files import model_folder
from agents.generator.orders.order import Order
from agents.generator.pipelines.ip_adapters import IpAdapters
from agents.generator.pipelines.loras import LoraAdapters
from agents.generator.pipelines.mounting import MountGuard
from agents.generator.pipelines.textual_inversion import TextualInversions
from agents.generator.pipelines.variants import PipelineVariants
from agents.generator.registry import samplers
from agents.generator.registry.entries import LocalModel
from bus.failpoint import pass_failpoint
from protocol.errors import AcpError

MEMORY_SHARE = {"cpu": 0.4, "mps": 0.5}
"""Part of the machine's memory that weights may fill, where other processes live in it too."""

GPU_SHARE = 0.75
"""Part of a GPU's memory that weights may fill: the rest is for the latents and the decoder's peak."""


@dataclass(frozen=True)
class ResidentModel:
    """A diffusers pipeline on the device. `scheduler` is the configuration that came with the model, and its entry;
    `number` tells it from the same model when it is loaded again; `own_bytes` are what its own weights fill of the
    device at most, and `files` what they were read from."""

    number: int
    model: LocalModel
    pipeline: Any
    scheduler: dict[str, Any]
    loras: LoraAdapters
    ip_adapters: IpAdapters
    textual_inversions: TextualInversions
    variants: PipelineVariants
    own_bytes: int
    guard: MountGuard
    files: model_folder.WeightFiles = ()

    @property
    def size_bytes(self) -> int:
        """What it fills with its ControlNets and IP-Adapters."""
        return self.own_bytes + self.variants.size_bytes + self.ip_adapters.size_bytes

    def activate_adapters(self, order: Order) -> None:
        """Make the model work as the next call for an order needs it: with its LoRAs and IP-Adapters, and no others.

        Raises:
            AcpError: one of them does not fit the model.
            ModelThrownAway: an earlier change broke it.
        """
        self.guard.require_sound()
        self.loras.activate(order.loras)
        self.ip_adapters.activate(order.ip_adapters)


class ResidentPipelines:
    """The resident pipelines of one device; `budget` are the bytes that they may fill, null for the device's."""

    def __init__(self, device: torch.device, tuning: Tuning = DEFAULT_TUNING, budget: int | None = None) -> None:
        self._device = device
        self._tuning = tuning
        self._budget = _budget(device) if budget is None else budget
        self._resident: OrderedDict[str, ResidentModel] = OrderedDict()
        self._load_count = 0
        self._measured_bytes: dict[str, int] = {}
        self._busy_names: frozenset[str] = frozenset()

    @property
    def uses_compiler(self) -> bool:
        """Whether denoisers are compiled for each size of their calls."""
        return self._tuning.compile is not None

    @property
    def resident_names(self) -> Collection[str]:
        """The models that are in memory, least recently used first."""
        return self._resident.keys()

    def get(self, model: LocalModel, folder: Path, busy: Collection[str] = ()) -> ResidentModel | None:
        """The pipeline of a model, loaded if need be, and anew where a mount broke it or its files were replaced; null
        while there is no room for it beside the models named in `busy`, which stay.

        Raises:
            AcpError: the folder is not a complete, safe diffusers folder, or this machine lacks what it is tuned for.
        """
        self._busy_names = frozenset((*busy, model.name))
        resident, files = self._resident.pop(model.name, None), model_folder.weight_files(folder)
        if resident is not None and (resident.guard.is_gone or resident.files != files):
            resident = None
            self._release_memory()
        if resident is None:
            # Files may be of another precision than the weights in memory: what was measured once is better.
            if not self._make_room(self._measured_bytes.get(model.name) or model_folder.weight_bytes(folder), busy):
                return None
            try:
                return self.add(model, _read_pipeline(model, folder, self._device), files)
            except AcpError:
                raise
            except Exception as error:
                # diffusers and transformers raise anything about what they did not expect in a folder.
                if is_device_error(error):
                    raise
                raise unloadable_error(model, folder, error) from error
        self._resident[model.name] = resident
        return resident

    def add(self, model: LocalModel, pipeline: Any, files: model_folder.WeightFiles = ()) -> ResidentModel:
        """Put a pipeline that was read from `files`, or built, on the device.

        Raises:
            AcpError: this machine lacks what it is tuned for.
        """
        pipeline.set_progress_bar_config(disable=True)
        self._load_count += 1
        guard = MountGuard(pipeline)
        resident = ResidentModel(
            number=self._load_count,
            model=model,
            pipeline=pipeline,
            scheduler=samplers.portable_configuration({**pipeline.scheduler.config, **model.schedule}),
            loras=LoraAdapters(pipeline, guard),
            ip_adapters=IpAdapters(pipeline, self._device, self._make_room_beside_busy, guard),
            textual_inversions=TextualInversions(pipeline, guard),
            variants=PipelineVariants(pipeline, self._device, self._make_room_beside_busy, guard),
            own_bytes=place_on_device(pipeline, self._device, self._budget, self._tuning.offload),
            guard=guard,
            files=files,
        )
        tune(pipeline, self._tuning, self._device, model.family.repeated_blocks)
        pass_failpoint("mount.model_tuned")
        self._measured_bytes[model.name] = resident.own_bytes
        self._resident[model.name] = resident
        return resident

    def _make_room_beside_busy(self, needed: int) -> bool:
        return self._make_room(needed, self._busy_names)

    def _make_room(self, needed: int, busy: Collection[str]) -> bool:
        """Whether `needed` bytes fit, after others were let go for them."""
        held = {name: resident.size_bytes for name, resident in self._resident.items()}
        gone = evictions(held, needed, self._budget, busy)
        for name in gone or ():
            del self._resident[name]
        if gone:
            self._release_memory()
        return gone is not None

    def _release_memory(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


def _read_pipeline(model: LocalModel, folder: Path, device: torch.device) -> Any:
    dtype = torch.float32 if device.type == "cpu" else getattr(torch, model.dtype)
    pipeline = model_folder.read_pipeline(_pipeline_class(model, folder), folder, dtype)
    if model.family.decoder_overflows_float16 and dtype == torch.float16:
        pipeline.vae.to(torch.bfloat16)
    return pipeline


def _pipeline_class(model: LocalModel, folder: Path) -> Any:
    index = msgspec.json.decode((folder / "model_index.json").read_bytes(), type=dict[str, Any])
    # A folder that names another class is not loaded.
    expected, found = model.family.pipelines.noise, index.get("_class_name")
    if found != expected:
        raise ValueError(f"model_index.json names a {found}, but {model.architecture} is a {expected}")
    return getattr(diffusers, expected)


def _budget(device: torch.device) -> int:
    """Bytes that weights may fill."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE)
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return int(machine * MEMORY_SHARE[device.type])
