"""What the workshop can do, merged from what its live processes announce. Pure module."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from protocol.messages import Presence
from protocol.offers import ControlInfo, IpAdapterInfo, LoraInfo, ModelInfo, MotionInfo, ToolInfo

Offer = TypeVar("Offer", ModelInfo, LoraInfo, ControlInfo, IpAdapterInfo, MotionInfo, ToolInfo)
Rank = tuple[int, ...]


@dataclass(frozen=True)
class Capabilities:
    """What live processes can do, merged over all of them."""

    models: Mapping[str, ModelInfo] = field(default_factory=dict[str, ModelInfo])
    loras: Mapping[str, LoraInfo] = field(default_factory=dict[str, LoraInfo])
    samplers: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    style_references: tuple[str, ...] = ()
    controls: tuple[ControlInfo, ...] = ()
    ip_adapters: tuple[IpAdapterInfo, ...] = ()
    tools: Mapping[str, ToolInfo] = field(default_factory=dict[str, ToolInfo])
    motions: tuple[MotionInfo, ...] = ()
    generators: int = 0
    prompt_writers: int = 0


def merge_presences(presences: Iterable[Presence]) -> Capabilities:
    """Merge what processes announce; a model is installed if any generator has it."""
    alive = list(presences)
    roles = [presence.role for presence in alive]
    return Capabilities(
        models=_best_by_name((one for presence in alive for one in presence.models), _model_rank),
        loras=_best_by_name((one for presence in alive for one in presence.loras), _installed_rank),
        samplers=_sorted_union(presence.samplers for presence in alive),
        styles=_sorted_union(presence.styles for presence in alive),
        style_references=_sorted_union(presence.style_references for presence in alive),
        controls=tuple(
            _best_by_name((one for presence in alive for one in presence.controls), _installed_rank).values()
        ),
        ip_adapters=tuple(
            _best_by_name((one for presence in alive for one in presence.ip_adapters), _installed_rank).values()
        ),
        motions=tuple(_best_by_name((one for presence in alive for one in presence.motions), _installed_rank).values()),
        tools=_best_by_name((one for presence in alive for one in presence.tools), _tool_rank),
        generators=roles.count("generator"),
        prompt_writers=roles.count("prompt"),
    )


def _best_by_name(announced: Iterable[Offer], rank: Callable[[Offer], Rank]) -> dict[str, Offer]:
    """Of several announcements under a name the first that ranks highest."""
    best: dict[str, Offer] = {}
    for one in announced:
        if one.name not in best or rank(one) > rank(best[one.name]):
            best[one.name] = one
    return best


def _sorted_union(named: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in named for name in names}))


def _installed_rank(one: LoraInfo | ControlInfo | IpAdapterInfo | MotionInfo) -> Rank:
    return (one.installed,)


def _tool_rank(tool: ToolInfo) -> Rank:
    return tool.installed, tool.seconds_per_megapixel is not None


def _model_rank(model: ModelInfo) -> Rank:
    """Which of two announcements of a model says more of what the workshop can do with it."""
    return model.installed, model.references, model.seconds_per_image is not None
