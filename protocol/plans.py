"""The plan of a batch: what will be done, what it will cost and take. Pure module."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from protocol.catalogue import Catalogued
from protocol.errors import ErrorBody
from protocol.parameters import EngineKind, Lora, Scalar, Sweep


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


class PlannedImage(Struct, frozen=True, kw_only=True):
    """A picture that would be made. `swept` are the values that tell it from others of a sweep; `catalogued` is its
    place in a catalogue."""

    index: int
    swept: dict[str, Scalar] = {}
    catalogued: Catalogued | None = None


class PlanBody(Struct, frozen=True, kw_only=True):
    """What will be done, what it will cost and take, and what of the wish was not honoured.

    `state` refused has a `refusal`; held has an `approval` token and an expiry; planned is that of a dry run: nothing
    was begun. `engine` says whether the model's calls are shared with other pictures, step by step, or made for each
    picture alone; `stages` are listed where there are several, and end in another size than `size`, which the model
    makes.

    `estimated_cost` and `estimated_seconds` are null where nothing was measured or priced yet; `unknown_cost` says
    which of the two is missing. `reserved_cost` is the most that the batch may cost, all attempts used: it is held
    while the batch runs, and what was not needed is given back. `images` are those of a dry run of a catalogue or a
    sweep, a page at a time; `next` is the index to ask for next. `loras` and `sweep` are left out where there are none;
    of a field that is swept, the plan's own value is not that of any picture.
    """

    state: Literal["accepted", "held", "planned", "refused"]
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
    reserved_cost: Cost | UnsetType = UNSET
    unknown_cost: Literal["no_price", "not_measured"] | UnsetType = UNSET
    images: list[PlannedImage] | UnsetType = UNSET
    next: int | UnsetType = UNSET
    loras: list[Lora] | UnsetType = UNSET
    sweep: Sweep | UnsetType = UNSET


class GenerationPlan(Struct, frozen=True, kw_only=True):
    """`{"generation_plan": {…}, "hash": …}`. `hash` is null when the plan was refused, or was all that was asked
    for (`dry_run`)."""

    generation_plan: PlanBody
    hash: str | None
