"""How a batch stands, its pictures, and a client's batches in a list. Pure module."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from protocol.catalogue import Catalogued
from protocol.errors import ErrorBody
from protocol.parameters import EngineKind, Scalar, ServiceClass
from protocol.plans import Cost, Size


class QualityMetrics(Struct, frozen=True, kw_only=True):
    """`avg_score`: mean QA score of the completed pictures that have one. `consistency`: mean pairwise cosine of their
    embeddings, null below two pictures. `rejection_rate`: rejected attempts among judged attempts."""

    avg_score: float | None
    consistency: float | None
    rejection_rate: float | None


class Performance(Struct, frozen=True, kw_only=True):
    """`avg_time`: mean seconds of generation of a picture. `gpu_util`: 0 to 1, null without a GPU counter."""

    avg_time: float | None
    gpu_util: float | None


RemarkableState = Literal["held", "waiting", "paused", "cancelling", "cancelled", "failed", "partly_failed"]
"""What a status says of a batch that is not being made: a plan that nobody approved yet, or one whose time has not come
(`not_before`); paused; stopped, with pictures in flight; ended as its client, its deadline or its used-up
budget stopped it; ended with no picture stored, or with some of them failed."""

BatchState = Literal["running", "completed", RemarkableState]
"""How a batch stands. `running`: its pictures are being made. `completed`: it ended, and no picture of it failed."""

ENDED_STATES: frozenset[BatchState] = frozenset({"completed", "partly_failed", "failed", "cancelled"})
"""States in which no picture of a batch is left to make."""


class StatusBody(Struct, frozen=True, kw_only=True):
    """How a batch stands. completed + processing + queued + failed + cancelled is the quantity, always.

    `failed` and `cancelled` are there only when not zero, and so is `reused`: how many of the completed ones were
    stored already; `stand_in` only where another model stands in for the one that was asked for. `state` is left out
    while the pictures are being made and when every one was stored: it says why none is handed out, or how the batch
    ended otherwise. `error` is there only where it ended because its budget is used up, and says what to do then.
    """

    completed: int
    processing: int
    queued: int
    failed: int | UnsetType = UNSET
    cancelled: int | UnsetType = UNSET
    quality_metrics: QualityMetrics
    performance: Performance
    cost_per_image: float | None
    stand_in: str | UnsetType = UNSET
    state: RemarkableState | UnsetType = UNSET
    reused: int | UnsetType = UNSET
    error: ErrorBody | UnsetType = UNSET


class GenerationStatus(Struct, frozen=True, kw_only=True):
    """`{"generation_status": {…}, "hash": …}`."""

    generation_status: StatusBody
    hash: str


class ImageMetadata(Struct, frozen=True, kw_only=True):
    """How a picture was made. `processing_time_s` is seconds of generation, `stages` the same by stage; `engine` says
    whether its model calls could be shared with other pictures, step by step, or ran through a plain pipeline."""

    generated_at: str | None
    prompt_used: str
    revised_prompt: str | None
    model_version: str | None
    seed: int
    processing_time_s: float | None
    stages: dict[str, float] = {}
    engine: EngineKind | None = None


ImageStatus = Literal["pending", "running", "retry", "completed", "failed", "cancelled", "paused"]


class Image(Struct, frozen=True, kw_only=True):
    """One picture of a batch, made or not. `swept` are the values that tell it from others of a sweep;
    `catalogued` is its place in a catalogue; `parent` the picture that was made again, by its id; `reused` the stored
    picture that was returned instead of making one, at no cost. `not_judged` are the words of its prompt of which the
    scorer knows nothing, there only where there are any: `quality_score` says nothing of them. `inconsistent` is its
    likeness to the others, there only where it is below the least that was asked for (`quality.consistency`)."""

    id: str
    index: int
    status: ImageStatus
    image_url: str | None = None
    signed_url: str | None = None
    storage_key: str | None = None
    path: str | None = None
    provider_used: str | None = None
    cost: Cost | None = None
    dimensions: Size | None = None
    quality_score: float | None = None
    metadata: ImageMetadata | None = None
    attempts: int = 0
    error: ErrorBody | None = None
    swept: dict[str, Scalar] = {}
    catalogued: Catalogued | None = None
    parent: str | None = None
    reused: str | None = None
    not_judged: list[str] | UnsetType = UNSET
    inconsistent: float | UnsetType = UNSET


class ResultBody(Struct, frozen=True, kw_only=True):
    """A page of pictures. `next` is the index to ask for next, null on the last page; `parent` the batch whose
    pictures are made again. `device_seconds` is the time of devices for all attempts of the batch, left out before any
    was measured."""

    state: BatchState
    quantity: int
    images: list[Image]
    next: int | None
    contact_sheet: str | None
    generation_status: StatusBody
    metadata: dict[str, Scalar] = {}
    parent: str | None = None
    device_seconds: float | UnsetType = UNSET


class GenerationResult(Struct, frozen=True, kw_only=True):
    """`{"generation_result": {…}, "hash": …}`."""

    generation_result: ResultBody
    hash: str


class BatchSummary(Struct, frozen=True, kw_only=True):
    """A batch in a list. `parent` is the batch whose pictures are made again; `client_id`, whose it is, is there only
    in the operator's list."""

    hash: str
    state: BatchState
    quantity: int
    completed: int
    failed: int
    cancelled: int
    brief: str | None
    style: str | None
    platform: str
    created_at: str
    priority: ServiceClass = "batch"
    parent: str | None = None
    client_id: str | UnsetType = UNSET


class BatchListBody(Struct, frozen=True, kw_only=True):
    """A page of batches, newest first."""

    batches: list[BatchSummary]
    next: int | None


class BatchList(Struct, frozen=True, kw_only=True):
    """`{"batch_list": {…}}`."""

    batch_list: BatchListBody
