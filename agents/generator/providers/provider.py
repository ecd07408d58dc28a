"""What a provider is: the types between the hosted engine and the file of a vendor. Pure module."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from pydantic import SecretStr

from agents.generator.engine import OnProgress, Rendering, ShouldStop
from agents.generator.orders.hosted_order import HostedOrder
from agents.generator.providers.catalogue import Catalogue
from agents.generator.providers.paid_calls import SpendingJournal


@dataclass(frozen=True)
class Access:
    """What a provider works with: its key, null where none was given, and the journal that is asked before every paid
    call."""

    key: SecretStr | None
    journal: SpendingJournal


class Provider(Protocol):
    """A vendor that makes pictures, connected."""

    async def generate(self, order: HostedOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """Make one picture. The bytes are the vendor's own, since they may carry a signature of their origin.

        Every paid call is opened in the journal before it is sent and closed with what it cost, and is never sent
        again by itself: the vendor may have charged it.

        Raises:
            GenerationStopped: `stop` said so before the call was sent.
            AcpError: it cannot be made; retryable where nothing was charged and a later call may work.
        """
        ...


class ProviderModule(Protocol):
    """What the file of a vendor holds."""

    NEEDS_KEY: bool
    """Whether it cannot be asked without `provider_keys.NAME`."""

    MODELS: Mapping[str, Mapping[str, object]]
    """Name -> the entry of each model that is known without `models.toml`, as it would be written there, but for
    `provider`. A person's entry overrides its fields."""

    def connect(self, access: Access) -> AbstractAsyncContextManager[Provider]:
        """Ready to make pictures for as long as the context lasts."""
        ...


def provider_module(name: str, catalogue: Catalogue) -> ProviderModule:
    """The module of a provider."""
    return cast("ProviderModule", import_module(catalogue[name]))
