"""What generators announce: models, adapters, ControlNets, tools, their defaults, and what to do about those that are
missing. Pure module.

A kind is a struct with what is to be known of it, and an `Offer` with its tag.
"""

from collections.abc import Iterable
from typing import Literal, TypeVar, get_args

from msgspec import UNSET, Struct, UnsetType

from protocol.ids import Id
from protocol.parameters import ControlKind, EngineKind, ReferenceRole

ToolKind = Literal["upscaler", "face_restorer"]
"""What a tool does with finished pictures."""


class PromptReading(Struct, frozen=True, kw_only=True):
    """How a model reads prompts in the syntax of `prompt_syntax.py`: `weights` says that they act, else they are taken
    off. It reads long prompts in chunks where `tokens` is null, and else cuts off what follows so many tokens."""

    weights: bool = False
    tokens: int | None = None


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

    `guidance_range` is the sensible span. `seconds_per_image` is that of a picture at the defaults, measured on all
    pictures and scaled by their work, null before the first one. `aliases` are other names that people use for the
    model and its platform. `references` is how many reference pictures it can follow; `starts` is what it can begin
    from beside noise, a whole picture or the part outside of a mask. `engine` says whether its calls can be shared
    among pictures. `version` is the hash of its weights, null before the process knows it. `unfit_samplers` are those
    of the process that it cannot use, left out where it can use all. `prompts` is how it reads prompts that have a
    syntax; null of a generator that takes each character for a part of the words.
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
    unfit_samplers: list[str] | UnsetType = UNSET
    prompts: PromptReading | None = None


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


class ModelOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="model"):
    """A model."""

    info: ModelInfo


class LoraOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="lora"):
    """A LoRA."""

    info: LoraInfo


class EmbeddingOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="word"):
    """A word that can be taught."""

    info: EmbeddingInfo


class ControlOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="control"):
    """A ControlNet."""

    info: ControlInfo


class IpAdapterOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="ip_adapter"):
    """An IP-Adapter."""

    info: IpAdapterInfo


class MotionOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="motion"):
    """A motion adapter."""

    info: MotionInfo


class ToolOffer(Struct, frozen=True, kw_only=True, tag_field="kind", tag="tool"):
    """A network for finished pictures."""

    info: ToolInfo


Info = ModelInfo | LoraInfo | EmbeddingInfo | ControlInfo | IpAdapterInfo | MotionInfo | ToolInfo
"""What is to be known of something that is offered."""

Offer = ModelOffer | LoraOffer | EmbeddingOffer | ControlOffer | IpAdapterOffer | MotionOffer | ToolOffer
"""Something that a generator offers, tagged by `kind`."""

OFFER_KINDS: frozenset[str] = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Offer))
"""The tags of offers that this version knows."""

AnyInfo = TypeVar("AnyInfo", bound=Info)


def kind_of(offer: Offer) -> str:
    """The tag of an offer."""
    return str(offer.__struct_config__.tag)


def infos_of(offers: Iterable[Offer], kind: type[AnyInfo]) -> list[AnyInfo]:
    """What is to be known of the offers of one kind."""
    return [offer.info for offer in offers if isinstance(offer.info, kind)]
