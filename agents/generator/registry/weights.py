"""Everything with weights that decides the pixels of pictures, and what is told apart by its version."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.generator.registry.registry import Registry

Kind = Literal["model", "lora", "control", "ip_adapter", "motion", "word", "tool"]


@dataclass(frozen=True)
class Part:
    """Something with weights, by its name in the registry and its place on this machine. `settings` are what its entry
    says that decides pixels as well."""

    kind: Kind
    name: str
    place: Path
    settings: str = ""


def installed_parts(registry: Registry) -> list[Part]:
    """All that pictures can be made with here. What looks at references is none of it: it decides no weights."""
    known = registry
    return [
        *(Part("model", name, known.places[name]) for name in known.installed),
        *(Part("lora", name, known.lora_places[name]) for name in known.installed_loras),
        *(Part("control", name, known.control_places[name]) for name in known.installed_controls),
        *(
            Part("ip_adapter", name, known.ip_adapter_places[name], known.ip_adapters[name].settings)
            for name in known.installed_ip_adapters
        ),
        *(
            Part("motion", name, known.motion_places[name], known.motions[name].settings)
            for name in known.installed_motions
        ),
        *(
            Part("word", name, known.embedding_places[name], known.embeddings[name].settings)
            for name in known.installed_embeddings
        ),
        *(Part("tool", name, place) for name in known.installed_tools if (place := known.tool_places[name]).is_file()),
    ]
