"""What tells the files of one family of models from those of all others. Pure module."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Layers = Mapping[str, tuple[int, int]]
"""Name of a layer, its parts joined by `.` or `_` -> how many numbers it reads, and how many it answers."""


@dataclass(frozen=True)
class LayerMark:
    """A layer that tells a family: `pattern` is found in its name, and where `reads` or `answers` are not empty, its
    widths are among them."""

    pattern: str
    reads: frozenset[int] = frozenset()
    answers: frozenset[int] = frozenset()

    def is_in(self, layers: Layers) -> bool:
        """Whether one of the layers has the mark."""
        return any(
            re.search(self.pattern, name)
            and (not self.reads or reads in self.reads)
            and (not self.answers or answers in self.answers)
            for name, (reads, answers) in layers.items()
        )


@dataclass(frozen=True)
class Lookalike:
    """Models that are not supported, and whose files would be taken for a family's: how names of them begin, how their
    classes in diffusers do, and what tells their layers. `name` is what people call them."""

    name: str
    base_models: tuple[str, ...]
    class_prefix: str
    layers: tuple[LayerMark, ...]


@dataclass(frozen=True)
class FileMarks:
    """How files are known as a family's.

    `platform` is the one that a file is for unless it tells another. `base_models` are beginnings of what
    `modelspec.architecture`, `ss_base_model_version` and Civitai's `baseModel` say, in small letters -> platform; the
    longest one decides. `text_width` is that of the text which a UNet's cross-attention reads, in LoRAs, IP-Adapters
    and single files; `encoder_widths` are those of the text encoders that a textual inversion is for. `layers` are
    those of LoRAs that no other family has. `transformer_prefixes` are how tensors begin in a file of a transformer
    alone. `config` is a file in a diffusers folder, and `platform_of_config` what it tells of the platform.
    """

    platform: str
    base_models: Mapping[str, str] = field(default_factory=dict[str, str])
    text_width: int | None = None
    encoder_widths: tuple[int, ...] = ()
    layers: tuple[LayerMark, ...] = ()
    transformer_prefixes: tuple[str, ...] = ()
    config: str | None = None
    platform_of_config: Callable[[Mapping[str, object]], str] | None = None
    lookalikes: tuple[Lookalike, ...] = ()
