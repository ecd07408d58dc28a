"""What generators announce: models, adapters, ControlNets, tools, their defaults, and what to do about those that are
missing. Pure module."""

from typing import Literal

from msgspec import Struct

from protocol.ids import Id
from protocol.parameters import ControlKind, EngineKind, ReferenceRole

ToolKind = Literal["upscaler", "face_restorer"]
"""What a tool does with finished pictures."""


class LoraInfo(Struct, frozen=True, kw_only=True):
    """An adapter that a generator knows. `trigger` are words that wake it; `version` as in `ModelInfo`."""

    name: str
    platform: str
    installed: bool
    trigger: str | None = None
    install: str | None = None
    version: str | None = None


class EmbeddingInfo(Struct, frozen=True, kw_only=True):
    """A word that a generator can teach the text encoders of one platform (textual inversion). `token` is how prompts
    write it; `install` and `version` as in `ModelInfo`."""

    name: str
    platform: str
    token: str
    installed: bool
    install: str | None = None
    version: str | None = None


class ModelInfo(Struct, frozen=True, kw_only=True):
    """A model that a generator knows, with its defaults. `install` says how to get it where it is missing.

    `guidance_range` is the sensible span. `seconds_per_image` is measured at the defaults, null before the
    first picture. `aliases` are other names that people use for the model and its platform. `references` is how many
    reference pictures it can follow; `starts` is what it can begin from beside noise, a whole picture or the part
    outside of a mask. `engine` says whether its calls can be shared among pictures. `version` is the hash of its
    weights, null before the process knows it.
    """

    name: str
    platform: Id
    installed: bool
    native_sizes: list[tuple[int, int]]
    steps: int
    guidance: float
    guidance_range: tuple[float, float]
    sampler: str
    negative_prompt: bool
    max_pixels: int
    multiple_of: int = 8
    priority: int = 0
    aliases: list[str] = []
    provider: str = "local"
    install: str | None = None
    licence: str | None = None
    price_micros: int | None = None
    seconds_per_image: float | None = None
    references: int = 0
    starts: list[Literal["picture", "mask"]] = []
    engine: EngineKind | None = None
    version: str | None = None


class ControlInfo(Struct, frozen=True, kw_only=True):
    """A ControlNet that a generator knows, for the models of one platform. `install` says how to get it where it is
    missing, `prepare` how to get what makes its maps of plain pictures, null where that is here. `version` is the hash
    of its weights, null before the process knows it."""

    name: str
    platform: str
    kind: ControlKind
    installed: bool
    install: str | None = None
    prepare: str | None = None
    version: str | None = None


class IpAdapterInfo(Struct, frozen=True, kw_only=True):
    """An IP-Adapter that a generator knows, for the models of one platform: by it they follow pictures in these
    `roles`. `install` says how to get it where it is missing; `version` is the hash of its weights and of the model
    that looks at the pictures, null before the process knows it."""

    name: str
    platform: str
    roles: list[ReferenceRole]
    installed: bool
    install: str | None = None
    version: str | None = None


class MotionInfo(Struct, frozen=True, kw_only=True):
    """A motion adapter that a generator knows: by it the models of one platform make sequences of at most `max_frames`.
    `install` says how to get it where it is missing; `version` is the hash of its weights, null before the process
    knows it."""

    name: str
    platform: str
    max_frames: int
    installed: bool
    install: str | None = None
    version: str | None = None


class ToolInfo(Struct, frozen=True, kw_only=True):
    """A network for finished pictures that a generator knows. `scale` is how many times larger it makes them, 1 where
    it keeps their size. `seconds_per_megapixel` of its result is measured, null before the first picture; `install` and
    `version` as in `ModelInfo`."""

    name: str
    kind: ToolKind
    installed: bool
    scale: int = 1
    install: str | None = None
    seconds_per_megapixel: float | None = None
    version: str | None = None
