# pyright: basic
"""One picture in the step engine: what is asked for, how far it is, and what was measured when it is done."""

import time
from collections.abc import Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from agents.generator.engine import OnProgress, ShouldStop
from agents.generator.orders.order import Order
from agents.generator.pipelines.draw import Pixels
from agents.generator.pipelines.resident import ResidentModel
from agents.generator.step_engine.buckets import BucketTrace, bucket_at, extend_trace
from agents.generator.step_engine.model_proxies import CallRequest, CallStage, StepRequest
from agents.generator.step_engine.pipeline_thread import PipelineThread
from protocol.messages import Buckets


@dataclass(frozen=True)
class Drawing:
    """A finished picture and what was measured while it was made.

    `stage_seconds` is device time by stage; of a shared call it is this picture's part. `shareable` says whether its
    model's calls can be shared at all.
    """

    pixels: Pixels
    stage_seconds: dict[str, float]
    peak_memory: int | None
    gpu_util: float | None
    mfu: float | None
    buckets: Buckets
    shareable: bool


@dataclass(frozen=True)
class Request:
    """A picture to make. `future` gets the drawing, or the reason why there is none. A probe (`is_probe`) only warms
    up."""

    order: Order
    on_progress: OnProgress
    should_stop: ShouldStop
    is_probe: bool = False
    submitted_at: float = field(default_factory=time.monotonic)
    future: "Future[Drawing]" = field(default_factory=Future)


@dataclass
class Run:
    """A picture in progress. `pending` is what it waits for, since `waiting_since`; `shared_last_call` says whether its
    last denoising call was shared. `order` is what is being drawn now, which may be a refinement's; `post_stage` names
    the stage after generation that it is in."""

    number: int
    request: Request
    resident: ResidentModel
    thread: "PipelineThread[CallRequest | StepRequest, Pixels]"
    pending: Any = None
    waiting_since: float = 0.0
    stage: CallStage = "encode"
    stage_seconds: dict[str, float] = field(default_factory=dict[str, float])
    trace: BucketTrace = ()
    calls: int = 0
    shared_last_call: bool = False
    decode_bucket: int | None = None
    post_stage: str | None = None
    order: Order = field(init=False)
    shareable: bool = True
    peak_memory: int | None = None
    utilisation: list[float] = field(default_factory=list[float])
    mfu: list[float] = field(default_factory=list[float])

    def __post_init__(self) -> None:
        self.order = self.request.order

    @property
    def call_key(self) -> Hashable:
        """What has to be the same in calls that are shared: model, adapters and their weights, shapes."""
        order = self.order
        adapters = tuple((str(one.file), one.weight) for one in order.loras)
        followed = tuple((str(one.file), one.layers, one.weight) for one in order.ip_adapters)
        return (self.resident.number, adapters, followed, self.pending.call.key)

    @property
    def bucket_unit(self) -> int:
        """Rows that its buckets count in: its own. Of a picture with regions single ones, since no pinned size may be
        a multiple of theirs."""
        return 1 if self.order.job.pixels.regions else self.pending.call.rows

    def bucket(self, stage: CallStage) -> int | None:
        """The bucket that its next call must have; null where it follows the load. What is decoded again is decoded
        alone, since one size is remembered; so are frames."""
        if stage == "decode" and (self.decode_bucket is not None or self.order.motion is not None):
            return 1
        wanted = self.request.order.buckets
        if wanted is None:
            return None
        return wanted.decode if stage == "decode" else bucket_at(wanted.denoise, self.calls)

    def record_measurements(self, peak: int | None, utilisation: float | None, mfu: float | None) -> None:
        """What the device said after a call; null where it says nothing."""
        if peak is not None:
            self.peak_memory = max(peak, self.peak_memory or 0)
        if utilisation is not None:
            self.utilisation.append(utilisation)
        if mfu is not None:
            self.mfu.append(mfu)

    def add_seconds(self, seconds: float) -> None:
        """Device time that was spent for it, in the step or else the stage that it is in."""
        name = self.post_stage or self.stage
        self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + seconds

    def record_denoise(self, size: int) -> None:
        """Its denoising call was made, as one of `size` rows; of none where such calls cannot be shared."""
        shareable = self.pending.call.rows > 0
        self.shareable = self.shareable and shareable
        self.trace = extend_trace(self.trace, size // self.bucket_unit if shareable else 1)
        self.calls += 1

    def record_decode(self, bucket: int) -> None:
        """It was decoded, in a call with the room of so many pictures."""
        if self.decode_bucket is None:
            self.decode_bucket = bucket

    def drawing(self, pixels: Pixels) -> Drawing:
        """What became of it."""
        return Drawing(
            pixels=pixels,
            stage_seconds=self.stage_seconds,
            peak_memory=self.peak_memory,
            gpu_util=_mean(self.utilisation),
            mfu=_mean(self.mfu),
            buckets=Buckets(denoise=[list(run) for run in self.trace], decode=self.decode_bucket or 1),
            shareable=self.shareable,
        )


def _mean(figures: Sequence[float]) -> float | None:
    return sum(figures) / len(figures) if figures else None
