# pyright: basic
"""LoRA adapters of one pipeline: loaded once, kept hot, switched on by name and weight for each picture.

Only the device's thread calls this.
"""

import math
import tempfile
import warnings
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers.utils.peft_utils import delete_adapter_layers
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from agents.generator.device.errors import reason_of
from agents.generator.files.lora_file import describe
from agents.generator.files.lora_names import loadable_names
from agents.generator.files.safetensors_header import ADAPTER_BOUNDS, inspect_file
from agents.generator.orders.order import LoraAdapter
from agents.generator.pipelines.mounting import MountGuard
from bus.failpoint import pass_failpoint
from protocol.errors import AcpError, Refused

MAX_HOT_LORAS = 8
"""Adapters that one pipeline keeps loaded; the least recently used goes first."""

FileKey = tuple[Path, int]
"""A file and its time of change."""


class LoraAdapters:
    """The adapters of one pipeline, keyed by file and its time of change."""

    def __init__(self, pipeline: Any, guard: MountGuard) -> None:
        self._pipeline = pipeline
        self._guard = guard
        self._hot: OrderedDict[FileKey, _HotLora] = OrderedDict()
        self._active: tuple[tuple[FileKey, float], ...] | None = ()
        self._load_count = 0

    def activate(self, adapters: Sequence[LoraAdapter]) -> None:
        """Make exactly these adapters act, each with its weight; none at all leaves the model as it was loaded.

        Raises:
            AcpError: a file is not a LoRA for this model, or not all of it could be used.
        """
        wanted = tuple((_file_key(adapter), adapter.weight) for adapter in adapters)
        if wanted == self._active:
            return
        self._active = None
        hot = [self._get_or_load(adapter) for adapter in adapters]
        with self._guard.switching(partial(_unusable_error, adapters)):
            self._switch([one.name for one in hot], [adapter.weight for adapter in adapters])
            while len(self._hot) > max(MAX_HOT_LORAS, len(adapters)):
                _, oldest = self._hot.popitem(last=False)
                self._pipeline.delete_adapters(oldest.name)
            pass_failpoint("mount.lora_switched")
            check_active_loras(
                self._pipeline,
                {one.name: (one.tensors, adapter.weight) for one, adapter in zip(hot, adapters, strict=True)},
                {one.name for one in self._hot.values()},
            )
        self._active = wanted

    def _switch(self, names: list[str], weights: list[float]) -> None:
        if names:
            self._pipeline.enable_lora()
            self._pipeline.set_adapters(names, weights)
        elif self._load_count:
            self._pipeline.disable_lora()

    def _get_or_load(self, adapter: LoraAdapter) -> "_HotLora":
        key = _file_key(adapter)
        hot = self._hot.pop(key, None)
        if hot is None:
            # Names inside the pipeline are numbers of ours: a dot in one would break peft's module paths.
            name = f"lora_{self._load_count}"
            hot = _HotLora(name, self._load(adapter, name))
        self._hot[key] = hot
        return hot

    def _load(self, adapter: LoraAdapter, name: str) -> int:
        """Load a file as adapter `name`; returns how many tensors of it are part of the model."""
        unusable = partial(_unusable_error, [adapter])
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise unusable(f"{type(self._pipeline).__name__} takes no LoRA")
        try:
            header = inspect_file(adapter.file, ADAPTER_BOUNDS)
            names = loadable_names(header.tensors, _denoiser_name(self._pipeline))
            describe(header)
        except (OSError, ValueError) as error:
            raise unusable(reason_of(error)) from error
        self._load_count += 1
        with self._guard.changing(partial(_unload, self._pipeline, name), unusable):
            _load_into(self._pipeline, adapter.file, names, name)
            pass_failpoint("mount.lora_loaded")
            expected = sum(1 for loaded in names.values() if not loaded.endswith("alpha"))
            used = sum(_adapters_of(layer)[name] for layer in _adapted_layers(self._pipeline))
            if used < expected:
                raise unusable(f"only {used} of its {expected} tensors fit this model")
        return used


@dataclass(frozen=True)
class _HotLora:
    """An adapter of a pipeline, by its name there and the number of its tensors."""

    name: str
    tensors: int


def check_active_loras(pipeline: Any, wanted: Mapping[str, tuple[int, float]], hot: Collection[str]) -> None:
    """Compare what acts in a pipeline with what is `wanted` of it: the name of each adapter -> the number of its
    tensors and its weight. Others of `hot` may be there, asleep.

    Raises:
        ValueError: it differs.
    """
    tensors: Counter[str] = Counter()
    for layer in _adapted_layers(pipeline):
        held = _adapters_of(layer)
        tensors.update(held)
        if strangers := held.keys() - hot:
            raise ValueError(f"the model has adapters that nobody asked for: {', '.join(sorted(strangers))}")
        acting = set[str]() if layer.disable_adapters else held.keys() & set(layer.active_adapters)
        if acting != held.keys() & wanted.keys() or layer.merged:
            raise ValueError("other adapters act in the model than are asked for")
        for name in acting:
            rank = math.sqrt(layer.r[name]) if layer.use_rslora.get(name) else layer.r[name]
            if not math.isclose(layer.scaling[name], wanted[name][1] * layer.lora_alpha[name] / rank):
                raise ValueError(f"it acts with another weight than {wanted[name][1]}")
    for name, (expected, _) in wanted.items():
        if tensors[name] != expected:
            raise ValueError(f"{tensors[name]} of its {expected} tensors are in the model")


def _adapted_layers(pipeline: Any) -> Iterator[Any]:
    for part in _parts(pipeline):
        if getattr(part, "peft_config", None) or getattr(part, "_hf_peft_config_loaded", False):
            yield from (layer for layer in part.modules() if isinstance(layer, BaseTunerLayer))


def _adapters_of(layer: Any) -> "Counter[str]":
    """The names of the adapters in a layer, each with the number of its tensors there."""
    return Counter(name for tensors in layer.adapter_layer_names for name in getattr(layer, tensors, ()))


def _load_into(pipeline: Any, file: Path, names: Mapping[str, str], name: str) -> None:
    """Load a file as adapter `name`; `names` are those of its tensors that count, and what diffusers has to find them
    under."""
    with safe_open(file, framework="pt") as content:
        as_it_is = all(own == loaded for own, loaded in names.items()) and len(names) == len(content.keys())
        metadata = content.metadata()
    with tempfile.TemporaryDirectory() as folder:
        if as_it_is:
            source = file
        else:
            source = Path(folder) / "lora.safetensors"
            tensors = load_file(file)
            save_file({loaded: tensors[own] for own, loaded in names.items()}, source, metadata)
        with warnings.catch_warnings():
            # peft warns of tensors that did not fit; they are counted instead.
            warnings.simplefilter("ignore")
            pipeline.load_lora_weights(
                source.parent,
                weight_name=source.name,
                adapter_name=name,
                local_files_only=True,
                use_safetensors=True,
            )


def _unload(pipeline: Any, name: str) -> None:
    """Remove what a failed load left behind, in whichever parts it came."""
    for part in _parts(pipeline):
        if name in (getattr(part, "peft_config", None) or ()) or any(
            name in _adapters_of(layer) for layer in part.modules() if isinstance(layer, BaseTunerLayer)
        ):
            with warnings.catch_warnings():
                # peft warns that it was active.
                warnings.simplefilter("ignore")
                delete_adapter_layers(part, name)


def _denoiser_name(pipeline: Any) -> str:
    return "unet" if hasattr(pipeline, "unet") else "transformer"


def _parts(pipeline: Any) -> list[torch.nn.Module]:
    return [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]


def _file_key(adapter: LoraAdapter) -> FileKey:
    return adapter.file, adapter.file.stat().st_mtime_ns


def _unusable_error(adapters: Sequence[LoraAdapter], reason: str) -> AcpError:
    told = " and ".join(f"{adapter.name} ({adapter.file})" for adapter in adapters) or "that was active before"
    return Refused(
        "not_installed",
        f"the LoRA {told} cannot be used: {reason}",
        path="$.job.pixels.loras",
        hint="check that it was made for this model's platform, or leave it out",
    )
