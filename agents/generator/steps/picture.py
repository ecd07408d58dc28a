# pyright: basic
"""One picture in the step engine: what is asked for, how far it is, and what was measured when it is done."""

from collections.abc import Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from agents.generator.drawing import Pixels
from agents.generator.engine import Progressed, Stop
from agents.generator.orders import Order
from agents.generator.pipelines import Resident
from agents.generator.steps.buckets import Trace, bucket_at, extended
from agents.generator.steps.modules import Asked, Stage, Stepped
from agents.generator.steps.strand import Strand


@dataclass(frozen=True)
class Drawing:
    """A finished picture and what was measured while it was made.

    `stages` are seconds of the device by stage; of a call that was shared, this picture's part. `trace` are the
    buckets of its denoising calls, `decode_bucket` that of its decoding. `shareable` says whether its model's calls can
    be shared at all.
    """

    pixels: Pixels
    stages: dict[str, float]
    peak_memory: int | None
    gpu_util: float | None
    trace: Trace
    decode_bucket: int
    shareable: bool


@dataclass(frozen=True)
class Request:
    """A picture that is wanted. `done` gets the drawing or the reason why there is none."""

    order: Order
    progressed: Progressed
    stop: Stop
    probe: bool = False
    done: "Future[Drawing]" = field(default_factory=Future)


@dataclass
class Run:
    """A picture that is being made. `said` is what its pipeline waits for; `since` when it began to."""

    number: int
    request: Request
    resident: Resident
    strand: "Strand[Asked | Stepped, Pixels]"
    said: Any = None
    since: float = 0.0
    stage: Stage = "encode"
    stages: dict[str, float] = field(default_factory=dict[str, float])
    trace: Trace = ()
    calls: int = 0
    decode_bucket: int = 1
    shareable: bool = True
    peak_memory: int | None = None
    utilisation: list[float] = field(default_factory=list[float])

    @property
    def key(self) -> Hashable:
        """What has to be the same in calls that are shared: model, adapters and their weights, shapes."""
        adapters = tuple((str(one.file), one.weight) for one in self.request.order.adapters)
        return (self.resident.number, adapters, self.said.call.key)

    @property
    def fixed(self) -> Trace | None:
        """The buckets that its calls must have; null where they follow the load."""
        order = self.request.order
        return order.replay or (((1, 1),) if order.strict else None)

    def size(self, rows: int) -> int:
        """Rows that its next call must have, where they are fixed."""
        return bucket_at(self.fixed or (), self.calls) * rows

    def spent(self, seconds: float) -> None:
        """Device time that was spent for it, in the stage that it is in."""
        self.stages[self.stage] = self.stages.get(self.stage, 0.0) + seconds

    def denoised(self, size: int, rows: int) -> None:
        """A denoising call of `size` rows, `rows` of them its own."""
        self.trace = extended(self.trace, size // rows)
        self.calls += 1

    def drawing(self, pixels: Pixels) -> Drawing:
        """What became of it."""
        return Drawing(
            pixels=pixels,
            stages=self.stages,
            peak_memory=self.peak_memory,
            gpu_util=sum(self.utilisation) / len(self.utilisation) if self.utilisation else None,
            trace=self.trace,
            decode_bucket=self.decode_bucket,
            shareable=self.shareable,
        )
