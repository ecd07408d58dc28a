"""Which IP-Adapters follow the pictures of a job, those of one kind together. Pure module."""

from dataclasses import dataclass
from pathlib import Path

from agents.generator.registry.entries import IpAdapterEntry, LocalModel
from agents.generator.registry.registry import Registry
from protocol.messages import Job
from protocol.nearest import nearest
from protocol.sources import ImagePrompt

MAX_IMAGE_PROMPTS = 4
"""Pictures that one picture follows at most. Each adds to the attention of every layer."""


@dataclass(frozen=True)
class IpAdapter:
    """An IP-Adapter as it acts in one picture: its folder, in it the file of its weights and the folder of the model
    that looks at pictures, and its weight in the attention layers whose names begin with `layers`.

    `prompt_positions` are positions among the job's image prompts, which are looked at together. `settings` as in
    `Weights`.
    """

    name: str
    folder: Path
    file: Path
    encoder: Path
    layers: str
    weight: float
    prompt_positions: tuple[int, ...]
    settings: str = ""


def choose_ip_adapters(job: Job, model: LocalModel, registry: Registry) -> tuple[IpAdapter, ...]:
    """By what the image prompts of a job are followed, in their order; those of one IP-Adapter, role and weight
    together. What whoever makes the picture follows by itself has none.

    Raises:
        Refused: an IP-Adapter is not known or not installed, or does not go with the model or the role.
    """
    known = registry.ip_adapters
    together: dict[tuple[str, str, float], list[int]] = {}
    for position, one in enumerate(job.pixels.image_prompts):
        if one.adapter is not None:
            entry = _installed_entry(one, one.adapter, position, model, registry)
            together.setdefault((entry.name, entry.roles[one.role], one.weight), []).append(position)
    return tuple(
        IpAdapter(
            name=name,
            folder=known.paths[name],
            file=known.paths[name] / known[name].weights,
            encoder=known.paths[name] / known[name].encoder,
            layers=layers,
            weight=weight,
            prompt_positions=tuple(pictures),
            settings=known[name].settings,
        )
        for (name, layers, weight), pictures in together.items()
    )


def _installed_entry(
    said: ImagePrompt, name: str, position: int, model: LocalModel, registry: Registry
) -> IpAdapterEntry:
    def fits(entry: IpAdapterEntry) -> bool:
        return entry.platform == model.platform and said.role in entry.roles

    fitting = [entry.name for entry in registry.ip_adapters.values() if fits(entry)]
    entry, _ = registry.ip_adapters.require(
        name,
        f"$.job.pixels.image_prompts[{position}].adapter",
        fits=fits,
        purpose=f"{said.role} of {model.platform}",
        hint=nearest(name, fitting) if fitting else "leave the picture out",
    )
    return entry
