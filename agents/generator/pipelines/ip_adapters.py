# pyright: basic, reportPrivateImportUsage=false
"""IP-Adapters of one pipeline: loaded once, kept hot, mounted on the denoiser for pictures that follow references and
taken off it for all others.

Only the device's thread calls this. Nothing is fetched, no pickle is read.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from agents.generator.device.errors import is_device_error, reason_of
from agents.generator.device.offload import size_of
from agents.generator.files.ip_adapter_file import describe
from agents.generator.files.model_folder import weight_bytes
from agents.generator.files.safetensors_header import ADAPTER_BOUNDS, inspect_file
from agents.generator.orders.ip_adapter_choice import IpAdapter
from agents.generator.pipelines.mounting import MountGuard
from agents.shared.picture import Rgb
from bus.failpoint import pass_failpoint
from protocol.errors import AcpError, Refused

MAX_HOT_IP_ADAPTERS = 2
"""IP-Adapters that one pipeline keeps in memory, each with the model that looks at pictures, or as many as one picture
follows by; the least recently used goes first."""

FileKey = tuple[Path, int]
"""A file and its time of change."""


@dataclass(frozen=True)
class _LoadedAdapter:
    """An IP-Adapter's tensors on the device, and what looks at pictures for it."""

    tensors: dict[str, dict[str, torch.Tensor]]
    encoder: Any
    processor: Any
    patches: bool
    size_bytes: int


@dataclass(frozen=True)
class _Attention:
    """What of a denoiser an IP-Adapter changes: how its attention layers work, and what it makes of seen pictures."""

    processors: dict[str, Any]
    projection: Any
    kind: str | None


class IpAdapters:
    """The IP-Adapters of one pipeline. `make_room` is told the bytes of one before it is loaded."""

    def __init__(
        self, pipeline: Any, device: torch.device, make_room: Callable[[int], object], guard: MountGuard
    ) -> None:
        self._pipeline = pipeline
        self._guard = guard
        self._device = device
        self._make_room = make_room
        self._hot: OrderedDict[FileKey, _LoadedAdapter] = OrderedDict()
        self._attention_by_keys: dict[tuple[FileKey, ...], _Attention] = {}
        self._plain_attention: _Attention | None = None
        self._mounted: tuple[tuple[FileKey, str, float], ...] = ()

    @property
    def size_bytes(self) -> int:
        """What they fill."""
        return sum(loaded.size_bytes for loaded in self._hot.values())

    @torch.no_grad()
    def embed_pictures(self, adapter: IpAdapter, pictures: Sequence[Rgb], together: int = 1) -> torch.Tensor:
        """What an IP-Adapter sees of pictures: of nothing first, then of all of them, (2, pictures, …). `together` is
        how many act in the picture that follows them.

        As diffusers' pipelines do it (`encode_image`), on pixels of the size that the encoder was made for.

        Raises:
            AcpError: a file is no IP-Adapter for this model, or the folder beside it no encoder.
        """
        loaded = self._get_or_load(adapter, together)
        images = [Image.fromarray(picture) for picture in pictures]
        pixels = loaded.processor(images, return_tensors="pt").pixel_values
        pixels = pixels.to(self._device, loaded.encoder.dtype)
        if loaded.patches:
            found, nothing = (
                loaded.encoder(one, output_hidden_states=True).hidden_states[-2]
                for one in (pixels, torch.zeros_like(pixels))
            )
        else:
            found = loaded.encoder(pixels).image_embeds
            nothing = torch.zeros_like(found)
        return torch.stack([nothing, found])

    def activate(self, adapters: Sequence[IpAdapter]) -> None:
        """Make exactly these act, each with its weight; none at all leaves the denoiser as it was loaded.

        Raises:
            AcpError: as `embed_pictures`.
        """
        keys = tuple(_file_key(adapter) for adapter in adapters)
        mounted = tuple((key, one.layers, one.weight) for key, one in zip(keys, adapters, strict=True))
        if mounted == self._mounted:
            return
        attention = self._attention_for(keys, adapters)
        with self._guard.switching(partial(_unusable_error, adapters)):
            self._mount(attention)
            for processor, weights in _weights_by_layer(attention, adapters):
                processor.scale[:] = weights
            pass_failpoint("mount.ip_adapter_switched")
            self._check_active(attention, adapters)
        self._mounted = mounted

    def _check_active(self, wanted: _Attention, adapters: Sequence[IpAdapter]) -> None:
        """Compare how attention works with what is `wanted` of it.

        Raises:
            ValueError: it works otherwise.
        """
        found = self._current_attention()
        own = found.processors
        same = own.keys() == wanted.processors.keys() and all(own[name] is wanted.processors[name] for name in own)
        if not same or found.projection is not wanted.projection or found.kind != wanted.kind:
            raise ValueError("attention of the model works otherwise than asked for")
        if any(list(processor.scale) != weights for processor, weights in _weights_by_layer(found, adapters)):
            raise ValueError("it acts with other weights than asked for")

    def _attention_for(self, keys: tuple[FileKey, ...], adapters: Sequence[IpAdapter]) -> _Attention:
        self._plain_attention = self._plain_attention or self._current_attention()
        if not keys:
            return self._plain_attention
        if keys not in self._attention_by_keys:
            self._attention_by_keys[keys] = self._build_attention(adapters)
        return self._attention_by_keys[keys]

    def _build_attention(self, adapters: Sequence[IpAdapter]) -> _Attention:
        """The attention for IP-Adapters that act together; one that is there several times has its tensors once."""
        tensors = [self._get_or_load(adapter, len(adapters)).tensors for adapter in adapters]
        none = [""] * len(adapters)
        plain = self._plain_attention
        assert plain is not None
        unusable = partial(_unusable_error, adapters)
        # diffusers derives what it puts in from what is there.
        self._mounted = ()
        with self._guard.switching(unusable):
            self._mount(plain)
        with self._guard.changing(partial(self._mount, plain), unusable):
            self._pipeline.load_ip_adapter(tensors, subfolder=none, weight_name=none, image_encoder_folder=None)
            pass_failpoint("mount.ip_adapter_built")
            made = self._current_attention()
        with self._guard.switching(unusable):
            self._mount(plain)
        # Where no words are read, attention stays what it is.
        kept = {name: one for name, one in plain.processors.items() if name.endswith("attn1.processor")}
        made = replace(made, processors={**made.processors, **kept})
        for adapter in adapters:
            if not any(
                name.startswith(adapter.layers) for name, one in made.processors.items() if hasattr(one, "scale")
            ):
                raise _unusable_error([adapter], f"the model has no attention layer {adapter.layers}")
        return made

    def _current_attention(self) -> _Attention:
        unet = self._pipeline.unet
        # The projection may have attention layers of its own.
        own = {name: one for name, one in unet.attn_processors.items() if not name.startswith("encoder_hid_proj.")}
        return _Attention(own, unet.encoder_hid_proj, unet.config.encoder_hid_dim_type)

    def _mount(self, attention: _Attention) -> None:
        unet = self._pipeline.unet
        # A denoiser that waits for its turn on the device takes what is mounted along.
        for part in (*attention.processors.values(), attention.projection):
            if isinstance(part, torch.nn.Module):
                part.to(unet.device)
        unet.encoder_hid_proj = None
        unet.set_attn_processor(dict(attention.processors))
        unet.encoder_hid_proj = attention.projection
        unet.config.encoder_hid_dim_type = attention.kind

    def _get_or_load(self, adapter: IpAdapter, together: int) -> _LoadedAdapter:
        key = _file_key(adapter)
        loaded = self._hot.pop(key, None)
        if loaded is None:
            self._make_room(adapter.file.stat().st_size + weight_bytes(adapter.encoder))
            loaded = self._load(adapter)
        self._hot[key] = loaded
        while len(self._hot) > max(MAX_HOT_IP_ADAPTERS, together):
            oldest, _ = self._hot.popitem(last=False)
            self._attention_by_keys = {keys: one for keys, one in self._attention_by_keys.items() if oldest not in keys}
        return loaded

    def _load(self, adapter: IpAdapter) -> _LoadedAdapter:
        unet = getattr(self._pipeline, "unet", None)
        if unet is None or not hasattr(self._pipeline, "load_ip_adapter"):
            raise _unusable_error([adapter], f"{type(self._pipeline).__name__} takes no IP-Adapter")
        try:
            found = describe(inspect_file(adapter.file, ADAPTER_BOUNDS))
            layers = sum(not name.endswith("attn1.processor") for name in self._current_attention().processors)
            if (found.layers, found.width) != (layers, unet.config.cross_attention_dim):
                raise ValueError(
                    f"it is for {found.layers} layers that read text of width {found.width}, the model has {layers} "
                    f"of width {unet.config.cross_attention_dim}"
                )
            encoder: Any = CLIPVisionModelWithProjection.from_pretrained(
                adapter.encoder, dtype=unet.dtype, use_safetensors=True, local_files_only=True
            )
            tensors: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
            for name, tensor in load_file(adapter.file).items():
                part, _, rest = name.partition(".")
                tensors[part][rest] = tensor.to(self._device, unet.dtype)
            processor = _image_processor(adapter.encoder, encoder.config.image_size)
            pass_failpoint("mount.ip_adapter_read")
        except Exception as error:
            if is_device_error(error):
                raise
            raise _unusable_error([adapter], reason_of(error)) from error
        encoder = encoder.to(self._device).eval().requires_grad_(False)
        own = sum(tensor.nbytes for part in tensors.values() for tensor in part.values())
        return _LoadedAdapter(tensors, encoder, processor, found.patches, own + size_of(encoder))


def _image_processor(encoder: Path, size: int) -> Any:
    """What prepares pictures for an encoder: as its folder says, else as diffusers does, by CLIP's means."""
    if (encoder / "preprocessor_config.json").is_file():
        return CLIPImageProcessorPil.from_pretrained(encoder, local_files_only=True)
    return CLIPImageProcessorPil(size=size, crop_size=size)


def _file_key(adapter: IpAdapter) -> FileKey:
    return adapter.file, adapter.file.stat().st_mtime_ns


def _weights_by_layer(attention: _Attention, adapters: Sequence[IpAdapter]) -> Iterator[tuple[Any, list[float]]]:
    """The layers in which adapters act, and the weight of each there."""
    for name, processor in attention.processors.items():
        if hasattr(processor, "scale"):
            yield processor, [one.weight if name.startswith(one.layers) else 0.0 for one in adapters]


def _unusable_error(adapters: Sequence[IpAdapter], reason: str) -> AcpError:
    told = " and ".join(f"{adapter.name} ({adapter.file})" for adapter in adapters) or "that was active before"
    return Refused(
        "not_installed",
        f"the IP-Adapter {told} cannot be used: {reason}",
        path="$.job.pixels.image_prompts",
        hint="it must be made for this model's platform, beside the CLIP vision model that it was trained with",
    )
