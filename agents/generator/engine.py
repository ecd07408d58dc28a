"""What stands between the agent and whatever makes pictures: a device, nothing at all, or a provider.

Any number of `generate` calls may be under way at once; how they share a device (one after the other, or step by
step in one batch) is the engine's business alone.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from agents.generator.orders.hosted_order import HostedOrder
from agents.generator.orders.order import Order
from agents.generator.registry.weights import Weights
from bus.agent import Outlet
from protocol.messages import Buckets
from protocol.parameters import EngineKind

AnyOrder = Order | HostedOrder
"""What an engine is handed; one refuses orders that are not for it."""

OnProgress = Callable[[int, int], None]
"""Told the number of the denoising step that ended (from 0) and the number of steps; from any thread."""

ShouldStop = Callable[[], bool]
"""Whether the picture is no longer wanted; asked between denoising steps, from any thread."""


class GenerationStopped(Exception):
    """The picture was no longer wanted, and was not finished."""


@dataclass(frozen=True)
class Rendering:
    """A finished picture, encoded, with what was measured; what was not measured is null.

    `seconds` is the time that this picture took of the device, without the loading of its model. `stages` are seconds
    by stage, `peak_memory` bytes on the device, `gpu_util` 0 to 1, `mfu` model FLOP utilisation (the part of the
    device's arithmetic that its denoising calls used, 0 to 1), `buckets` the room of the model calls it was in;
    `engine` says whether those could be shared with others. `versions` are those of libraries, and what else decides
    the last bits of sums: CPU threads, the GPU's name.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    seconds: float
    provider: str
    device: str
    model_version: str | None = None
    peak_memory: int | None = None
    gpu_util: float | None = None
    mfu: float | None = None
    cost_micros: int | None = None
    buckets: Buckets | None = None
    engine: EngineKind | None = None
    revised_prompt: str | None = None
    stages: dict[str, float] = field(default_factory=dict[str, float])
    versions: dict[str, str] = field(default_factory=dict[str, str])


class Engine(Protocol):
    """A way to make pictures. `device` is known while it is open."""

    @property
    def max_references(self) -> int:
        """How many reference pictures it follows by itself, without an IP-Adapter."""
        ...

    @property
    def device(self) -> str | None:
        """The device in words of torch, such as `cuda:0`; null where there is none or it is not open."""
        ...

    def open(self, outlet: Outlet | None = None) -> AbstractAsyncContextManager[None]:
        """Hold the device for as long as the context lasts. `outlet` is how the planner is asked before a paid call.

        Raises:
            AcpError: the device is not there, or another process holds it.
        """
        ...

    async def known_version(self, part: Weights) -> str | None:
        """The version of a model or an adapter, as a `Rendering` would name it; null where it is not known
        and the weights take long to read."""
        ...

    async def warm_up(self, order: Order) -> None:
        """Make the next picture of that kind quick."""
        ...

    async def generate(self, order: AnyOrder, progressed: OnProgress, stop: ShouldStop) -> Rendering:
        """Make one picture. Cancelling the call also stops the device at the next step.

        Raises:
            GenerationStopped: `stop` said so.
            AcpError: it cannot be made (out_of_memory, not_installed, internal).
        """
        ...
