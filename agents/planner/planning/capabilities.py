"""What the workshop can do, merged from what its live processes announce. Pure module."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from protocol.messages import Presence
from protocol.offers import ControlInfo, IpAdapterInfo, LoraInfo, ModelInfo, MotionInfo, ToolInfo

Offer = TypeVar("Offer", ModelInfo, LoraInfo, ControlInfo, IpAdapterInfo, MotionInfo, ToolInfo)
Rank = tuple[int, ...]


@dataclass(frozen=True)
class Workshop:
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
    prompters: int = 0


def survey(presences: Iterable[Presence]) -> Workshop:
    """Merge what processes announce; a model is installed if any generator has it."""
    alive = list(presences)
    roles = [presence.role for presence in alive]
    return Workshop(
        models=_best((one for presence in alive for one in presence.models), _rank),
        loras=_best((one for presence in alive for one in presence.loras), _is_installed),
        samplers=_all(presence.samplers for presence in alive),
        styles=_all(presence.styles for presence in alive),
        style_references=_all(presence.style_references for presence in alive),
        controls=tuple(_best((one for presence in alive for one in presence.controls), _is_installed).values()),
        ip_adapters=tuple(_best((one for presence in alive for one in presence.ip_adapters), _is_installed).values()),
        motions=tuple(_best((one for presence in alive for one in presence.motions), _is_installed).values()),
        tools=_best((one for presence in alive for one in presence.tools), _is_measured),
        generators=roles.count("generator"),
        prompters=roles.count("prompt"),
    )


def _best(announced: Iterable[Offer], rank: Callable[[Offer], Rank]) -> dict[str, Offer]:
    """Of several announcements under a name the first that ranks highest."""
    best: dict[str, Offer] = {}
    for one in announced:
        if one.name not in best or rank(one) > rank(best[one.name]):
            best[one.name] = one
    return best


def _all(named: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(sorted({name for names in named for name in names}))


def _is_installed(one: LoraInfo | ControlInfo | IpAdapterInfo | MotionInfo) -> Rank:
    return (one.installed,)


def _is_measured(tool: ToolInfo) -> Rank:
    return tool.installed, tool.seconds_per_megapixel is not None


def _rank(model: ModelInfo) -> Rank:
    """Which of two announcements of a model says more of what the workshop can do with it."""
    return model.installed, model.references, model.seconds_per_image is not None
