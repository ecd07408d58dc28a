"""What the workshop can do, merged from what its live processes announce. Pure module."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.messages import Presence
from protocol.offers import (
    ControlInfo,
    ControlOffer,
    EmbeddingInfo,
    EmbeddingOffer,
    IpAdapterInfo,
    IpAdapterOffer,
    LoraInfo,
    LoraOffer,
    ModelInfo,
    ModelOffer,
    MotionInfo,
    MotionOffer,
    Offer,
    ToolInfo,
    ToolOffer,
    infos_of,
    kind_of,
)
from protocol.parameters import StyleSettings

Rank = tuple[int, ...]


@dataclass(frozen=True)
class Capabilities:
    """What live processes can do, merged over all of them. `sampler_aliases` are other names of `samplers` -> the name
    there; `words` are the learned words that are installed -> how prompts write them, each by its name and token in
    lower case; `scorers` are the models whose pictures QA can compare with their prompts, null where no QA says."""

    models: Mapping[str, ModelInfo] = field(default_factory=dict[str, ModelInfo])
    loras: Mapping[str, LoraInfo] = field(default_factory=dict[str, LoraInfo])
    samplers: tuple[str, ...] = ()
    sampler_aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    styles: tuple[str, ...] = ()
    style_references: tuple[str, ...] = ()
    style_settings: Mapping[str, StyleSettings] = field(default_factory=dict[str, StyleSettings])
    controls: tuple[ControlInfo, ...] = ()
    ip_adapters: tuple[IpAdapterInfo, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    tools: Mapping[str, ToolInfo] = field(default_factory=dict[str, ToolInfo])
    motions: tuple[MotionInfo, ...] = ()
    generators: int = 0
    prompt_writers: int = 0
    scorers: frozenset[str] | None = None


def merge_presences(presences: Iterable[Presence]) -> Capabilities:
    """Merge what processes announce; a model is installed if any generator has it."""
    alive = list(presences)
    roles = [presence.role for presence in alive]
    best: dict[tuple[str, str], Offer] = {}
    for presence in alive:
        for offer in offers_of(presence):
            key = kind_of(offer), offer.info.name
            if key not in best or _rank(offer) > _rank(best[key]):
                best[key] = offer
    merged = best.values()
    return Capabilities(
        models={info.name: info for info in infos_of(merged, ModelInfo)},
        loras={info.name: info for info in infos_of(merged, LoraInfo)},
        samplers=_sorted_union(presence.samplers for presence in alive),
        sampler_aliases={alias: name for presence in alive for alias, name in presence.sampler_aliases.items()},
        words={
            name.lower(): info.token
            for info in infos_of(merged, EmbeddingInfo)
            if info.installed
            for name in (info.token, info.name)
        },
        styles=_sorted_union(presence.styles for presence in alive),
        style_references=_sorted_union(presence.style_references for presence in alive),
        style_settings={name: one for presence in alive for name, one in (presence.style_settings or {}).items()},
        controls=tuple(infos_of(merged, ControlInfo)),
        ip_adapters=tuple(infos_of(merged, IpAdapterInfo)),
        tools={info.name: info for info in infos_of(merged, ToolInfo)},
        motions=tuple(infos_of(merged, MotionInfo)),
        generators=roles.count("generator"),
        prompt_writers=roles.count("prompt"),
        scorers=_common_scorers(alive),
    )


def offers_of(presence: Presence) -> Sequence[Offer]:
    """What a process announces: its offers, or the lists of one that has no offers."""
    return presence.offers or [
        *(ModelOffer(info=info) for info in presence.models),
        *(LoraOffer(info=info) for info in presence.loras),
        *(EmbeddingOffer(info=info) for info in presence.embeddings),
        *(ControlOffer(info=info) for info in presence.controls),
        *(IpAdapterOffer(info=info) for info in presence.ip_adapters),
        *(MotionOffer(info=info) for info in presence.motions),
        *(ToolOffer(info=info) for info in presence.tools),
    ]


def _common_scorers(alive: Iterable[Presence]) -> frozenset[str] | None:
    """What every QA process that says it can judge: any of them may take a picture."""
    said = [presence.scorers for presence in alive if isinstance(presence.scorers, list)]
    if not said:
        return None
    return frozenset(name for name in said[0] if all(name in scorers for scorers in said))


def _sorted_union(named: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in named for name in names}))


def _rank(offer: Offer) -> Rank:
    """Which of two announcements under a name says more of what the workshop can do with it."""
    match offer.info:
        case ModelInfo() as model:
            return model.installed, model.references, model.seconds_per_image is not None
        case ToolInfo() as tool:
            return tool.installed, tool.seconds_per_megapixel is not None
        case info:
            return (info.installed,)
