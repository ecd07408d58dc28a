"""Everything with weights that decides the pixels of pictures, and what is told apart by its version."""

from dataclasses import dataclass
from pathlib import Path

from agents.generator.registry.kinds import WeightsKind
from agents.generator.registry.registry import Registry


@dataclass(frozen=True)
class Weights:
    """Something with weights, by its name in the registry and its place on this machine. `settings` are what its entry
    says that decides pixels as well."""

    kind: WeightsKind
    name: str
    path: Path
    settings: str = ""


def installed_weights(registry: Registry) -> list[Weights]:
    """All that pictures can be made with here. What looks at references is none of it: a tool that is a folder decides
    no pixels."""
    return [
        Weights(kind, name, known.paths[name], known[name].settings)
        for kind, known in registry.kinds.items()
        for name in known.installed
        if kind != "tool" or known.paths[name].is_file()
    ]
