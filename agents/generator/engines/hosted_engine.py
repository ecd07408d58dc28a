"""The engine of hosted models: hands each order to the provider of its model."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from pydantic import SecretStr

from agents.generator.engine import AnyOrder, OnProgress, Rendering, ShouldStop
from agents.generator.orders.hosted_order import HostedOrder
from agents.generator.orders.order import Order
from agents.generator.providers.paid_calls import SpendingJournal
from agents.generator.providers.provider import Access, Provider, ProviderModule
from agents.generator.registry.weights import Weights
from bus.agent import Outlet
from protocol.errors import NotSupported


class HostedEngine:
    """Any number of providers in one process. It holds no device; each provider decides how many calls it makes at
    once."""

    device: str | None = None
    max_references = 0

    def __init__(self, modules: Mapping[str, ProviderModule], keys: Mapping[str, SecretStr]) -> None:
        """`modules` and `keys` are by the names of providers."""
        self._modules = modules
        self._keys = keys
        self._providers: Mapping[str, Provider] = {}

    @asynccontextmanager
    async def open(self, outlet: Outlet | None = None) -> AsyncGenerator[None]:
        """See `Engine.open`. All providers are connected."""
        if outlet is None:
            raise RuntimeError("providers are asked only where the planner can be asked first")
        journal = SpendingJournal(outlet)
        async with AsyncExitStack() as connected:
            try:
                self._providers = {
                    name: await connected.enter_async_context(module.connect(Access(self._keys.get(name), journal)))
                    for name, module in self._modules.items()
                }
                yield
            finally:
                self._providers = {}

    async def known_version(self, part: Weights) -> str | None:
        """There are no weights here."""
        return None

    async def warm_up(self, order: Order) -> None:
        """Nothing to warm."""

    async def generate(self, order: AnyOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """See `Engine.generate`."""
        if not isinstance(order, HostedOrder):
            raise NotSupported(f"{order.model.name} is made on a device, and this generator has none")
        return await self._providers[order.model.provider].generate(order, progressed, stop)
