"""What an IP-Adapter's file holds, by the names and shapes in its header: which models it goes with, and what of a
picture it looks at. Pure module.

Names: https://github.com/tencent-ailab/IP-Adapter, and what diffusers makes of them (loaders/unet.py,
`_convert_ip_adapter_image_proj_to_diffusers`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from agents.generator.files.family_marks import platform_of_text_width
from agents.generator.files.safetensors_header import Header, Tensor

_KEY = re.compile(r"ip_adapter\.\d+\.to_k_ip\.weight")
_PREFIXES = ("image_proj.", "ip_adapter.")


class NotAnIpAdapter(ValueError):
    """The file holds something else, or an IP-Adapter that is not followed here."""


@dataclass(frozen=True)
class IpAdapterFile:
    """`layers` are the attention layers that it adds to, `width` that of their text. `patches` says that it looks at
    all patches of a picture ("plus"), not at its embedding alone. `platform` is null where the width does not tell."""

    layers: int
    width: int
    patches: bool
    platform: str | None


def is_ip_adapter(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file's tensors are named as those of an IP-Adapter."""
    return bool(tensors) and all(name.startswith(_PREFIXES) for name in tensors)


def describe(header: Header) -> IpAdapterFile:
    """What the file is.

    Raises:
        NotAnIpAdapter: it holds something else, or follows faces by another program's embeddings.
    """
    tensors = header.tensors
    if not is_ip_adapter(tensors):
        raise NotAnIpAdapter("its tensors are not named as those of an IP-Adapter")
    projection = {name.removeprefix("image_proj.") for name in tensors if name.startswith("image_proj.")}
    if "proj.weight" in projection:
        patches = False
    elif projection & {"latents", "proj.3.weight"}:
        patches = True
    else:
        raise NotAnIpAdapter("it follows faces by embeddings of InsightFace, which are not made here")
    keys = [name for name in tensors if _KEY.fullmatch(name)]
    for name in keys:
        value = tensors.get(name.replace("to_k_ip", "to_v_ip"))
        if len(tensors[name].shape) != 2 or value is None or value.shape != tensors[name].shape:
            raise NotAnIpAdapter(f"{name!r} has no value of its shape beside it")
    widths = {tensors[name].shape[1] for name in keys}
    if len(widths) != 1:
        raise NotAnIpAdapter(f"its layers read text of {len(widths)} widths")
    width = widths.pop()
    return IpAdapterFile(len(keys), width, patches, platform_of_text_width(width))
