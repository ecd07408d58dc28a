"""Every provider by name: the one line that a new one costs beside its own file.

The modules are imported when the registry is read, not before, and import their vendor's client when they connect.
"""

from collections.abc import Mapping
from importlib import import_module

Catalogue = Mapping[str, str]
"""Name of a provider -> its module."""

CATALOGUE: Catalogue = {
    "instant": "agents.generator.providers.instant",
}


def models_of(name: str, catalogue: Catalogue) -> Mapping[str, Mapping[str, object]]:
    """The models that a provider's module knows, as `models.toml` would enter them, without the provider."""
    return import_module(catalogue[name]).MODELS
