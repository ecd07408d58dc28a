# pyright: basic
"""LoRA adapters of one pipeline: loaded once, kept hot, switched on by name and weight for each picture.

Only the device's thread calls this.
"""

import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from agents.generator.device.errors import is_device_error
from agents.generator.files.lora_file import describe
from agents.generator.files.safetensors_header import ADAPTER_BOUNDS, inspect_file
from agents.generator.orders.order import LoraAdapter
from protocol.errors import AcpError, Refused

MAX_HOT_LORAS = 8
"""Adapters that one pipeline keeps loaded; the least recently used goes first."""


class LoraAdapters:
    """The adapters of one pipeline, keyed by file and its time of change."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._hot: OrderedDict[tuple[Path, int], str] = OrderedDict()
        self._load_count = 0

    def activate(self, adapters: Sequence[LoraAdapter]) -> None:
        """Make exactly these adapters act, each with its weight; none at all leaves the model as it was loaded.

        Raises:
            AcpError: a file is not a LoRA for this model, or not all of it could be used.
        """
        if not adapters:
            if self._hot:
                self._pipeline.disable_lora()
            return
        names = [self._hot_name(adapter) for adapter in adapters]
        self._pipeline.enable_lora()
        self._pipeline.set_adapters(names, [adapter.weight for adapter in adapters])
        while len(self._hot) > max(MAX_HOT_LORAS, len(adapters)):
            _, oldest = self._hot.popitem(last=False)
            self._pipeline.delete_adapters(oldest)

    def _hot_name(self, adapter: LoraAdapter) -> str:
        key = (adapter.file, adapter.file.stat().st_mtime_ns)
        name = self._hot.pop(key, None)
        if name is None:
            # Names inside the pipeline are numbers of ours: a dot in one would break peft's module paths.
            name = f"lora_{self._load_count}"
            self._load_count += 1
            self._load(adapter, name)
        self._hot[key] = name
        return name

    def _load(self, adapter: LoraAdapter, name: str) -> None:
        if not hasattr(self._pipeline, "load_lora_weights"):
            raise _unusable_error(adapter, f"{type(self._pipeline).__name__} takes no LoRA")
        try:
            describe(inspect_file(adapter.file, ADAPTER_BOUNDS))
            expected = _load_into(self._pipeline, adapter.file, name)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            if is_device_error(error):
                raise
            self._unload(name)
            raise _unusable_error(adapter, " ".join(str(error).split())[:300]) from error
        used = sum(1 for _ in _adapter_tensors(self._pipeline, name))
        if used < expected:
            self._unload(name)
            raise _unusable_error(adapter, f"only {used} of its {expected} tensors fit this model")

    def _unload(self, name: str) -> None:
        """Remove what a failed load left behind."""
        if any(True for _ in _adapter_tensors(self._pipeline, name)):
            self._pipeline.delete_adapters(name)


def _load_into(pipeline: Any, file: Path, name: str) -> int:
    """Load a file as adapter `name`; returns how many tensors it holds that must have become part of the model."""
    with safe_open(file, framework="pt") as content:
        keys = list(content.keys())
        metadata = content.metadata()
    with tempfile.TemporaryDirectory() as folder:
        if _is_mixed(keys):
            source = Path(folder) / "lora.safetensors"
            save_file({_peft_key(key): tensor for key, tensor in load_file(file).items()}, source, metadata)
        else:
            source = file
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
    return sum(1 for key in keys if not key.endswith("alpha"))


def _is_mixed(keys: Sequence[str]) -> bool:
    """Whether a file writes some layers as `lora_A` and others as `lora.down`. diffusers' own
    `convert_state_dict_to_diffusers` writes such files for convolutions beside attention, and its loader, which
    looks at the first key alone, then drops every layer of the other form."""
    return any(".lora_A." in key for key in keys) and any(".lora.down." in key for key in keys)


def _peft_key(key: str) -> str:
    return key.replace(".lora.down.", ".lora_A.").replace(".lora.up.", ".lora_B.")


def _adapter_tensors(pipeline: Any, name: str) -> Any:
    """Parameters of the pipeline that belong to adapter `name`."""
    for part in pipeline.components.values():
        if hasattr(part, "named_parameters"):
            yield from (tensor for path, tensor in part.named_parameters() if f".{name}." in path)


def _unusable_error(adapter: LoraAdapter, reason: str) -> AcpError:
    return Refused(
        "not_installed",
        f"the LoRA {adapter.name} ({adapter.file}) cannot be used: {reason}",
        path="$.job.pixels.loras",
        hint="check that it was made for this model's platform, or leave it out",
    )
