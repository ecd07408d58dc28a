"""Everything with weights that decides the pixels of pictures, and what is told apart by its version."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.generator.registry.registry import Registry

WeightsKind = Literal["model", "lora", "control", "ip_adapter", "motion", "word", "tool"]


@dataclass(frozen=True)
class Weights:
    """Something with weights, by its name in the registry and its place on this machine. `settings` are what its entry
    says that decides pixels as well."""

    kind: WeightsKind
    name: str
    path: Path
    settings: str = ""


def installed_weights(registry: Registry) -> list[Weights]:
    """All that pictures can be made with here. What looks at references is none of it: it decides no weights."""
    known = registry
    return [
        *(Weights("model", name, known.places[name]) for name in known.installed),
        *(Weights("lora", name, known.lora_places[name]) for name in known.installed_loras),
        *(Weights("control", name, known.control_places[name]) for name in known.installed_controls),
        *(
            Weights("ip_adapter", name, known.ip_adapter_places[name], known.ip_adapters[name].settings)
            for name in known.installed_ip_adapters
        ),
        *(
            Weights("motion", name, known.motion_places[name], known.motions[name].settings)
            for name in known.installed_motions
        ),
        *(
            Weights("word", name, known.embedding_places[name], known.embeddings[name].settings)
            for name in known.installed_embeddings
        ),
        *(
            Weights("tool", name, place)
            for name in known.installed_tools
            if (place := known.tool_places[name]).is_file()
        ),
    ]
