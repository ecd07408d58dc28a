"""Entries of models that a vendor hosts: no weights, no folder, no architecture."""

from pydantic import Field

from agents.generator.providers.capabilities import Capabilities
from agents.generator.registry.entries import Commercial, Name


class HostedModel(Capabilities):
    """A model of a provider. `vendor_model` is the vendor's name for it; `aliases` are other names that people use.
    The figures of a local model's defaults have the one value that says nothing."""

    name: Name
    provider: Name
    vendor_model: str = Field(min_length=1, max_length=256)
    aliases: tuple[str, ...] = ()
    priority: int = 0
    licence: str | None = None
    commercial: Commercial | None = None

    @property
    def platform(self) -> str:
        """The provider: its models share one queue, which is read by processes that can ask it."""
        return self.provider

    @property
    def native_sizes(self) -> tuple[tuple[int, int], ...]:
        """The sizes that are sure to work."""
        return self.sizes

    @property
    def steps(self) -> int:
        """One call."""
        return 1

    @property
    def guidance(self) -> float:
        """None."""
        return 0.0


def connect_hint(provider: str) -> str:
    """How to get the models of a provider that no process here asks."""
    return (
        f"give its key as provider_keys.{provider} in bottega.toml if it needs one, and start a generator with "
        f"BOTTEGA_GENERATOR=hosted"
    )
