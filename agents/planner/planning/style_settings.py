"""Settings that a style brings along: they apply where the command is silent, and the plan says so. Pure module."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.model_choice import normalise_name
from agents.planner.planning.pricing import LOCAL_PROVIDER
from protocol.commands import GenerateImages
from protocol.offers import ModelInfo
from protocol.parameters import Lora, StyleSettings

NO_SETTINGS = StyleSettings()


@dataclass(frozen=True)
class Styled:
    """A command with the settings of its style where it was silent, its adapters, and what the plan says of it."""

    command: GenerateImages
    loras: list[Lora]
    notes: list[str]


def without_swept(command: GenerateImages, workshop: Capabilities) -> Capabilities:
    """The workshop with no settings of styles for what the command sweeps; where it sweeps the style, with none at all,
    because the pictures of a batch share what is not swept."""
    if command.sweep is None or not workshop.style_settings:
        return workshop
    swept = command.sweep.values.keys()
    if "style" in swept:
        return replace(workshop, style_settings={})
    silent = dict.fromkeys(swept & set(StyleSettings.__struct_fields__))
    return replace(
        workshop,
        style_settings={name: structs.replace(one, **silent) for name, one in workshop.style_settings.items()},
    )


def apply_style(
    style: str, command: GenerateImages, loras: Sequence[Lora], model: ModelInfo, workshop: Capabilities, *, sized: bool
) -> Styled:
    """What the settings of a style make of a command and its adapters. `sized` says that something else decides the
    size. Steps, guidance and sampler go together: those for models of another kind are left out."""
    wanted = workshop.style_settings.get(style, NO_SETTINGS)
    applied, notes = _sampling(style, wanted, command, model, workshop)
    if wanted.resolution is not None and command.requirements.resolution is None and not sized:
        applied["requirements"] = structs.replace(command.requirements, resolution=wanted.resolution)
        notes.append(f"style {style} sets resolution {wanted.resolution}")
    named = list(loras[len(command.loras) :])  # adapters among `models` come without a weight
    if wanted.lora_weight is not None and named:
        named = [structs.replace(lora, weight=wanted.lora_weight) for lora in named]
        notes.append(f"style {style} sets LoRA weight {wanted.lora_weight:g}")
    if wanted.quantity is not None and command.requirements.quantity == 1 and command.catalogue is None:
        notes.append(f"style {style} is meant for batches of {wanted.quantity}; this one has as many as were asked for")
    return Styled(structs.replace(command, **applied), [*command.loras, *named], notes)


def _sampling(
    style: str, wanted: StyleSettings, command: GenerateImages, model: ModelInfo, workshop: Capabilities
) -> tuple[dict[str, object], list[str]]:
    """The fields that decide the way to a picture, where they are silent and fit the model, and what to say of them."""
    found: dict[str, object] = {
        name: value
        for name in ("steps", "guidance", "sampler")
        if (value := getattr(wanted, name)) is not None and getattr(command, name) is None
    }
    if not found:
        return {}, []
    low, high = model.guidance_range
    if model.provider != LOCAL_PROVIDER or (wanted.guidance is not None and not low <= wanted.guidance <= high):
        left = ", ".join(_words(name, value) for name, value in found.items())
        return {}, [f"style {style} has settings for other models than {model.name}, which are left out: {left}"]
    notes: list[str] = []
    if "sampler" in found and not _is_fit(str(found["sampler"]), model, workshop):
        notes.append(f"style {style} names a sampler that {model.name} has not, which is left out: {found['sampler']}")
        del found["sampler"]
    return found, [f"style {style} sets {_words(name, value)}" for name, value in found.items()] + notes


def _is_fit(sampler: str, model: ModelInfo, workshop: Capabilities) -> bool:
    names = {normalise_name(known) for known in workshop.samplers}
    unfit = {normalise_name(known) for known in model.unfit_samplers or ()}
    return normalise_name(sampler) in names - unfit


def _words(name: str, value: object) -> str:
    return f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
