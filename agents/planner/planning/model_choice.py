"""Which model runs a command, with which adapters, and what stands in for one that is missing. Pure module."""

import shlex
from collections.abc import Sequence

from agents.planner.planning.capabilities import Capabilities
from protocol.commands import GenerateImages, Lora
from protocol.errors import BadCommand, Refused, Unavailable
from protocol.nearest import nearest
from protocol.offers import ModelInfo


def split_models_and_loras(command: GenerateImages, workshop: Capabilities) -> tuple[list[str], list[Lora]]:
    """`models` mixes checkpoints and adapters, as people do; (checkpoints, adapters with weights).

    Raises:
        Refused: a name that nobody here knows.
    """
    checkpoints: list[str] = []
    loras = list(command.loras)
    for position, name in enumerate(command.models):
        if name in workshop.models:
            checkpoints.append(name)
        elif name in workshop.loras:
            loras.append(Lora(name=name))
        else:
            raise Refused(
                "not_installed",
                f"the model {name!r} is not known here",
                path=f"$.models[{position}]",
                hint=nearest(name, [*workshop.models, *workshop.loras]),
            )
    for position, lora in enumerate(command.loras):
        if lora.name not in workshop.loras:
            raise Refused(
                "not_installed",
                f"the LoRA {lora.name!r} is not known here",
                path=f"$.loras[{position}].name",
                hint=_lora_hint(lora.name, workshop),
            )
    return checkpoints, loras


def _lora_hint(name: str, workshop: Capabilities) -> str:
    known = nearest(name, workshop.loras) if workshop.loras else "no LoRA is known"
    file = shlex.quote(f"{name}.safetensors")
    added = f"bottega models add {file}, also where it lies in loras/"
    return f"{known}; another is added by: {added}, then restart the generator"


def wanted_model(
    platform: str | None, checkpoints: Sequence[str], loras: Sequence[Lora], workshop: Capabilities
) -> ModelInfo:
    """The model that the command asks for, installed or not: of the platform of its LoRAs where it names no other.

    Raises:
        BadCommand: a model of another platform than the one that is named.
        Refused: a platform that nobody here knows.
        Unavailable: no generator has a model.
    """
    if checkpoints:
        model = workshop.models[checkpoints[0]]
        if platform is not None and not is_called(model, platform):
            raise BadCommand(
                "invalid_value",
                f"{model.name} is a model of {model.platform}, not of {platform}",
                path="$.platform",
                hint=f'"platform": "{model.platform}"',
            )
        return model
    candidates = list(workshop.models.values())
    if platform is not None:
        candidates = [model for model in candidates if is_called(model, platform)]
        if not candidates:
            raise Refused(
                "not_installed",
                f"the platform {platform!r} is not known here",
                path="$.platform",
                hint=nearest(platform, {model.platform for model in workshop.models.values()}),
            )
    elif made_for := {workshop.loras[lora.name].platform for lora in loras} - {"", "any"}:
        # Where they are for several, the check of the chosen model's LoRAs names those that do not fit.
        candidates = [model for model in candidates if model.platform in made_for] or candidates
    if not candidates:
        raise Unavailable("no_generator", "no generator has a model", hint="see `bottega models`")
    return max(candidates, key=lambda model: (model.installed, model.priority, model.name))


def choose_runnable_model(
    wanted: ModelInfo, loras: Sequence[Lora], workshop: Capabilities, standing_in: str | None
) -> tuple[ModelInfo, str | None]:
    """(the model that will run, the platform it stands in for or null); `standing_in` is the one for those that are
    missing, null where none is to.

    Raises:
        BadCommand: a LoRA for another platform.
        Refused: something is not installed, and nothing stands in.
    """
    missing = missing_names(wanted, loras, workshop)
    if not missing:
        _check_loras(wanted, loras, workshop)
        return wanted, None
    stand_in = workshop.models.get(standing_in) if standing_in else None
    if stand_in is not None and stand_in.installed and wanted.provider == "local":
        return stand_in, wanted.platform
    installs = [text for text in [wanted.install, *(workshop.loras[lora.name].install for lora in loras)] if text]
    hint = "; ".join(installs) or "see `bottega models`"
    raise Refused("not_installed", f"not installed: {', '.join(missing)}", path="$.models", hint=hint)


def missing_names(wanted: ModelInfo, loras: Sequence[Lora], workshop: Capabilities) -> list[str]:
    """The names of what is not installed."""
    missing = [] if wanted.installed else [wanted.name]
    return missing + [lora.name for lora in loras if not workshop.loras[lora.name].installed]


def _check_loras(model: ModelInfo, loras: Sequence[Lora], workshop: Capabilities) -> None:
    for lora in loras:
        known = workshop.loras[lora.name]
        if known.platform not in ("", "any", model.platform):
            raise BadCommand(
                "invalid_value",
                f"the LoRA {lora.name} was made for {known.platform}, not for {model.platform}",
                path="$.loras",
                hint=f'"platform": "{known.platform}"',
            )


def is_called(model: ModelInfo, platform: str) -> bool:
    """Whether a model is meant by the name of a platform."""
    return normalise_name(platform) in {normalise_name(name) for name in (model.platform, model.name, *model.aliases)}


def normalise_name(name: str) -> str:
    """Names compare without case and punctuation: `FLUX.1-dev` is `flux_1_dev`."""
    return "".join(character for character in name.lower() if character.isalnum())
