"""Every provider by name: the one line that a new one costs beside its own file.

The modules are imported when the registry is read, not before, and import their vendor's client when they connect.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from agents.generator.providers.provider import ProviderModule

Catalogue = Mapping[str, str]
"""Name of a provider -> its module."""

CATALOGUE: Catalogue = {
    "instant": "agents.generator.providers.instant",
}


def provider_module(name: str, catalogue: Catalogue) -> "ProviderModule":
    """The module of a provider."""
    return cast("ProviderModule", import_module(catalogue[name]))
