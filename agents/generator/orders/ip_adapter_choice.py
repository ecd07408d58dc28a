"""Pictures that a job follows beside its words: by which IP-Adapters, those of one kind together. Pure module."""

from dataclasses import dataclass
from pathlib import Path

from agents.generator.registry.entries import IpAdapterEntry, Model, is_on_hub
from agents.generator.registry.registry import Registry, not_installed_error
from protocol.errors import Refused
from protocol.messages import Job
from protocol.nearest import nearest
from protocol.sources import ImagePrompt

MAX_IMAGE_PROMPTS = 4
"""Pictures that one picture follows at most. Each adds to the attention of every layer."""


@dataclass(frozen=True)
class IpAdapter:
    """An IP-Adapter as it acts in one picture: its folder, in it the file of its weights and the folder of the model
    that looks at pictures, and its weight in the attention layers whose names begin with `layers`.

    `pictures` are places among the job's image prompts; they are looked at together. `settings` as in `Part`.
    """

    name: str
    folder: Path
    file: Path
    encoder: Path
    layers: str
    weight: float
    prompt_positions: tuple[int, ...]
    settings: str = ""


def choose_ip_adapters(job: Job, model: Model, registry: Registry) -> tuple[IpAdapter, ...]:
    """By what the image prompts of a job are followed, in their order; those of one IP-Adapter, role and weight
    together. What whoever makes the picture follows by itself has none.

    Raises:
        Refused: an IP-Adapter is not known or not installed, or does not go with the model or the role.
    """
    together: dict[tuple[str, str, float], list[int]] = {}
    for position, one in enumerate(job.pixels.image_prompts):
        if one.adapter is not None:
            entry = _installed_entry(one, position, model, registry)
            together.setdefault((entry.name, entry.roles[one.role], one.weight), []).append(position)
    return tuple(
        IpAdapter(
            name=name,
            folder=registry.ip_adapter_places[name],
            file=registry.ip_adapter_places[name] / registry.ip_adapters[name].weights,
            encoder=registry.ip_adapter_places[name] / registry.ip_adapters[name].encoder,
            layers=layers,
            weight=weight,
            prompt_positions=tuple(pictures),
            settings=registry.ip_adapters[name].settings,
        )
        for (name, layers, weight), pictures in together.items()
    )


def ip_adapter_install_hint(entry: IpAdapterEntry, folder: Path) -> str:
    """How to get an IP-Adapter that is not here."""
    if entry.install or not is_on_hub(entry.source):
        return entry.install or f"put {entry.weights} and {entry.encoder} into {folder}, then restart the generator"
    return f"bottega models pull {entry.name}, then restart the generator"


def _installed_entry(said: ImagePrompt, position: int, model: Model, registry: Registry) -> IpAdapterEntry:
    path, name = f"$.job.image_prompts[{position}].adapter", said.adapter or ""
    fitting = {
        one.name: one
        for one in registry.ip_adapters.values()
        if one.platform == model.platform and said.role in one.roles
    }
    entry = fitting.get(name)
    if entry is None:
        raise Refused(
            "not_installed",
            f"{name[:64]!r} is no IP-Adapter for {said.role} of {model.platform}",
            path=path,
            hint=nearest(name, fitting) if fitting else "leave the picture out",
        )
    if entry.name not in registry.installed_ip_adapters:
        raise not_installed_error(
            f"the IP-Adapter {entry.name}", path, ip_adapter_install_hint(entry, registry.ip_adapter_places[entry.name])
        )
    return entry
