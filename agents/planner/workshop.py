"""What the workshop can do, merged from what its live processes announce. Pure module."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from protocol.messages import Presence
from protocol.offers import ControlInfo, IpAdapterInfo, LoraInfo, ModelInfo, ToolInfo


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
    generators: int = 0
    prompters: int = 0


def survey(presences: Iterable[Presence]) -> Workshop:
    """Merge what processes announce; a model is installed if any generator has it."""
    models: dict[str, ModelInfo] = {}
    loras: dict[str, LoraInfo] = {}
    controls: dict[str, ControlInfo] = {}
    ip_adapters: dict[str, IpAdapterInfo] = {}
    tools: dict[str, ToolInfo] = {}
    samplers: set[str] = set()
    styles: set[str] = set()
    references: set[str] = set()
    generators = prompters = 0
    for presence in presences:
        generators += presence.role == "generator"
        prompters += presence.role == "prompt"
        samplers.update(presence.samplers)
        styles.update(presence.styles)
        references.update(presence.style_references)
        for model in presence.models:
            known = models.get(model.name)
            if known is None or _rank(model) > _rank(known):
                models[model.name] = model
        for lora in presence.loras:
            if lora.name not in loras or lora.installed:
                loras[lora.name] = lora
        for control in presence.controls:
            if control.name not in controls or control.installed:
                controls[control.name] = control
        for adapter in presence.ip_adapters:
            if adapter.name not in ip_adapters or adapter.installed:
                ip_adapters[adapter.name] = adapter
        for tool in presence.tools:
            if tool.name not in tools or (tool.installed, tool.seconds_per_megapixel is not None) > (
                tools[tool.name].installed,
                tools[tool.name].seconds_per_megapixel is not None,
            ):
                tools[tool.name] = tool
    return Workshop(
        models=models,
        loras=loras,
        samplers=tuple(sorted(samplers)),
        styles=tuple(sorted(styles)),
        style_references=tuple(sorted(references)),
        controls=tuple(controls.values()),
        ip_adapters=tuple(ip_adapters.values()),
        tools=tools,
        generators=generators,
        prompters=prompters,
    )


def _rank(model: ModelInfo) -> tuple[bool, int, bool]:
    """Which of two announcements of a model says more of what the workshop can do with it."""
    return model.installed, model.references, model.seconds_per_image is not None
