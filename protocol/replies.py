"""Replies: what a client gets back. Told apart by their first key, so none carries a tag.

Amounts of money are dollars here, at the edge; inside they are integer micro-dollars. A figure that was not
measured is null. Pure module.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from protocol.catalogue import Catalogued
from protocol.errors import AcpError, ErrorBody
from protocol.parameters import CostsBy, EngineKind, Scalar, ServiceClass


class Cost(Struct, frozen=True, kw_only=True):
    """An amount in currency units. `breakdown` names its parts."""

    amount: float
    currency: Literal["USD"] = "USD"
    breakdown: dict[str, float] = {}


class Size(Struct, frozen=True, kw_only=True):
    """Pixels."""

    width: int
    height: int


class Stage(Struct, frozen=True, kw_only=True):
    """One stage of a picture that has several: denoising (`generate`), then each step of `post` by its `op`.

    `size` is what it ends in; `engine` says whether its model calls are shared with other pictures, step by step, or it
    runs by itself in the device's thread. `steps` are the denoising steps that are run; `seconds` are estimated from
    what was measured, null before that.
    """

    op: str
    model: str | None
    size: Size
    engine: EngineKind | None
    steps: int | None = None
    seconds: float | None = None


class PlanBody(Struct, frozen=True, kw_only=True):
    """What will be done, what it will cost and take, and what of the wish was not honoured.

    `state` refused has a `refusal`; state held has an `approval` token and an expiry. `engine` says whether the model's
    calls are shared with other pictures, step by step, or made for each picture alone; `stages` are listed where
    there are several, and end in another size than `size`, which the model makes. `estimated_cost` and
    `estimated_seconds` are null where nothing was measured or priced yet.
    """

    state: Literal["accepted", "held", "refused"]
    quantity: int
    platform: str | None = None
    provider: str | None = None
    models: list[str] = []
    stand_in: str | None = None
    size: Size | None = None
    native_size: Size | None = None
    steps: int | None = None
    guidance: float | None = None
    sampler: str | None = None
    engine: EngineKind | None = None
    stages: list[Stage] = []
    min_score: float | None = None
    max_attempts: int | None = None
    prompts: list[str] = []
    estimated_cost: Cost | None = None
    estimated_seconds: float | None = None
    not_honoured: list[str] = []
    warnings: list[str] = []
    alternatives: list[str] = []
    approval: str | None = None
    expires: str | None = None
    refusal: ErrorBody | None = None
    metadata: dict[str, Scalar] = {}


class GenerationPlan(Struct, frozen=True, kw_only=True):
    """`{"generation_plan": {…}, "hash": …}`. `hash` is null when the plan was refused."""

    generation_plan: PlanBody
    hash: str | None


class QualityMetrics(Struct, frozen=True, kw_only=True):
    """`avg_score`: mean QA score of the completed pictures. `consistency`: mean pairwise cosine of their
    embeddings, null below two pictures. `rejection_rate`: rejected attempts among judged attempts."""

    avg_score: float | None
    consistency: float | None
    rejection_rate: float | None


class Performance(Struct, frozen=True, kw_only=True):
    """`avg_time`: mean seconds of generation of a picture. `gpu_util`: 0 to 1, null without a GPU counter."""

    avg_time: float | None
    gpu_util: float | None


class StatusBody(Struct, frozen=True, kw_only=True):
    """How a batch stands. completed + processing + queued + failed + cancelled is the quantity, always.

    `failed` and `cancelled` are there only when not zero, and so is `reused`: how many of the completed ones were
    stored already; `stand_in` only where another model stands in for the one that was asked for; `state` only while
    nothing is handed out.
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
    state: Literal["held", "paused"] | UnsetType = UNSET
    reused: int | UnsetType = UNSET


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
BatchState = Literal["held", "running", "paused", "completed", "cancelled"]


class Image(Struct, frozen=True, kw_only=True):
    """One picture of a batch, made or not. `swept` are the values that tell it from others of a sweep;
    `catalogued` is its place in a catalogue; `parent` the picture that was made again, by its id; `reused` the stored
    picture that was returned instead of making one, at no cost."""

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


class ResultBody(Struct, frozen=True, kw_only=True):
    """A page of pictures. `next` is the index to ask for next, null on the last page; `parent` the batch whose
    pictures are made again."""

    state: BatchState
    quantity: int
    images: list[Image]
    next: int | None
    contact_sheet: str | None
    generation_status: StatusBody
    metadata: dict[str, Scalar] = {}
    parent: str | None = None


class GenerationResult(Struct, frozen=True, kw_only=True):
    """`{"generation_result": {…}, "hash": …}`."""

    generation_result: ResultBody
    hash: str


class BatchSummary(Struct, frozen=True, kw_only=True):
    """A batch in a list. `parent` is the batch whose pictures are made again."""

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


class BatchListBody(Struct, frozen=True, kw_only=True):
    """A page of batches, newest first."""

    batches: list[BatchSummary]
    next: int | None


class BatchList(Struct, frozen=True, kw_only=True):
    """`{"batch_list": {…}}`."""

    batch_list: BatchListBody


class ProcessInfo(Struct, frozen=True, kw_only=True):
    """A live process."""

    role: str
    instance: str
    pid: int
    host: str
    version: str
    slots: int
    busy: int


class ModelSummary(Struct, frozen=True, kw_only=True):
    """A model that is known, and whether it can be used now."""

    name: str
    platform: str
    installed: bool
    native_size: Size
    steps: int
    guidance: float
    sampler: str
    install: str | None = None
    licence: str | None = None


class CapabilitiesBody(Struct, frozen=True, kw_only=True):
    """What can be asked for right now."""

    processes: list[ProcessInfo]
    models: list[ModelSummary]
    loras: list[str]
    samplers: list[str]
    styles: list[str]
    style_references: list[str]
    stand_in: str | None
    max_quantity: int
    not_supported: list[str]


class CapabilityReport(Struct, frozen=True, kw_only=True):
    """`{"capabilities": {…}}`."""

    capabilities: CapabilitiesBody


class ClientBody(Struct, frozen=True, kw_only=True):
    """A client. `limit`, `spent` and `held` are dollars; `pictures` those that were stored, in the batches that the
    ledger keeps. `limit` and `max_in_flight` are null where there is none."""

    client_id: str
    state: Literal["active", "suspended"]
    limit: float | None
    spent: float
    held: float
    weight: int
    max_in_flight: int | None
    pictures: int
    created_at: str


class ClientReply(Struct, frozen=True, kw_only=True):
    """`{"client": {…}}`."""

    client: ClientBody


class ClientListBody(Struct, frozen=True, kw_only=True):
    """A page of clients, by name."""

    clients: list[ClientBody]
    next: int | None


class ClientList(Struct, frozen=True, kw_only=True):
    """`{"client_list": {…}}`."""

    client_list: ClientListBody


class Charges(Struct, frozen=True, kw_only=True):
    """What attempts cost. `attempts` counts those that were charged, rejected ones included; `completed` the pictures
    that came of them, each with its last attempt that was charged; `cost_per_image` is `cost` by `completed`. Both are
    dollars, null where nothing was charged, the second also where no picture was completed."""

    cost: float | None
    attempts: int
    completed: int
    cost_per_image: float | None


class CostGroup(Struct, frozen=True, kw_only=True):
    """The charges of one provider, model, UTC day (YYYY-MM-DD) or batch, which `name` tells; null is a model that is
    not known."""

    name: str | None
    charges: Charges


class CostsBody(Struct, frozen=True, kw_only=True):
    """A page of costs, days newest first and all else dearest first; `total` is of all groups of the span.

    `limit`, `spent`, `held` and `left` are the client's as they are now, over all its time, in dollars: what it may
    hold and spend together, what it did spend, what is held for pictures that have not ended, and what new commands
    may cost. `limit` and `left` are null where there is none.
    """

    client_id: str
    since: str | None
    until: str | None
    hash: str | None
    by: CostsBy
    groups: list[CostGroup]
    next: int | None
    total: Charges
    limit: float | None
    spent: float
    held: float
    left: float | None


class CostReport(Struct, frozen=True, kw_only=True):
    """`{"costs": {…}}`."""

    costs: CostsBody


class WorkBody(Struct, frozen=True, kw_only=True):
    """Whether work is still expected; `reason` says why not."""

    expected: bool
    reason: str | None = None


class WorkReply(Struct, frozen=True, kw_only=True):
    """`{"work": {…}}`."""

    work: WorkBody


class ErrorReply(Struct, frozen=True, kw_only=True):
    """`{"error": {"code", "message", "path", "hint", "retryable"}}`."""

    error: ErrorBody

    @classmethod
    def of(cls, error: AcpError) -> "ErrorReply":
        """An error as the reply that a client gets."""
        return cls(error=error.body)


Reply = (
    GenerationPlan
    | GenerationStatus
    | GenerationResult
    | BatchList
    | CapabilityReport
    | ClientReply
    | ClientList
    | CostReport
    | WorkReply
    | ErrorReply
)

REPLY_TYPES: dict[str, type[Struct]] = {
    "generation_plan": GenerationPlan,
    "generation_status": GenerationStatus,
    "generation_result": GenerationResult,
    "batch_list": BatchList,
    "capabilities": CapabilityReport,
    "client": ClientReply,
    "client_list": ClientList,
    "costs": CostReport,
    "work": WorkReply,
    "error": ErrorReply,
}
"""First key of a reply -> its type."""
