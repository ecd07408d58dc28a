"""Messages between agents: work, events, control, presence. Tagged by `type`; unknown fields are ignored.

Everything that a stage needs is in its message, so that any process of a role can handle any message. Pixels
travel as blob hashes only. Pure module.
"""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from protocol.catalogue import Blob, Catalogued, ReferenceBlob
from protocol.counts import Int32, Int64
from protocol.errors import ErrorBody
from protocol.ids import Id, Seed
from protocol.offers import (
    ControlInfo,
    EmbeddingInfo,
    IpAdapterInfo,
    LoraInfo,
    ModelInfo,
    MotionInfo,
    Offer,
    ToolInfo,
)
from protocol.parameters import EngineKind, Filing, Scalar, ServiceClass, StyleSettings
from protocol.pixels import Buckets, PixelSpec

Role = Literal["planner", "prompt", "generator", "qa", "storage"]
ROLES: tuple[Role, ...] = ("planner", "prompt", "generator", "qa", "storage")


class PromptOrigin(Struct, frozen=True, kw_only=True):
    """Where the words of a prompt come from. `subject` is what QA looks for in the picture: the content without the
    dressing."""

    subject: str = ""
    template: str = "plain"
    template_version: str = "1"
    style_reference: str | None = None


class Prompt(PromptOrigin, frozen=True, kw_only=True):
    """One written prompt. `references` are pictures of a catalogue that go along with it."""

    text: str
    negative: str = ""
    references: list[ReferenceBlob] = []

    @property
    def origin(self) -> PromptOrigin:
        """The same without the words."""
        return PromptOrigin(
            subject=self.subject,
            template=self.template,
            template_version=self.template_version,
            style_reference=self.style_reference,
        )


class Job(Struct, frozen=True, kw_only=True):
    """One attempt at one picture: what decides its pixels, and what will be judged and written beside it.

    `models` were asked for, while that of `pixels` runs; `stand_in_for` is the platform that it stands in for, or null.
    `swept` are the values that tell the picture from others of a sweep, `catalogued` its place in a catalogue;
    `name_template` names its file, null where the workshop's own does; `parent` is the picture that is made again, by
    its id. `priority` is its class where pictures share a device. `replaces` is there only where the picture is filed
    already, as that attempt: the planner decides whether this one is filed in its place.
    """

    hash: Id
    client_id: Id
    index: Int32
    attempt: Int32
    image_id: Id
    pixels: PixelSpec
    prompt_origin: PromptOrigin = PromptOrigin()
    platform: Id
    models: list[str] = []
    stand_in_for: str | None = None
    style: str | None = None
    section: str | None = None
    min_score: float = 0.0
    created_at: str = ""
    metadata: dict[str, Scalar] = {}
    swept: dict[str, Scalar] = {}
    catalogued: Catalogued | None = None
    name_template: str | None = None
    parent: str | None = None
    priority: ServiceClass = "batch"
    replaces: Int32 | UnsetType = UNSET

    def with_pixels(self, **changes: Any) -> "Job":
        """The job with other values of what decides its pixels."""
        return replace(self, pixels=replace(self.pixels, **changes))


class Picture(Struct, frozen=True, kw_only=True):
    """What a generator made. A figure that was not measured is null.

    `seconds` is the time of this picture alone; `gpu_util` the share of the time in which the device ran anything,
    `mfu` the part of its arithmetic that denoising used (model FLOP utilisation), 0 to 1; `peak_memory` bytes on the
    device; `bucket` the room of the largest model call it was in and `buckets` those of all; `stages` seconds by
    stage; `versions` by library, with what else decides the last bits, such as the number of CPU threads. `engine`
    says whether its model calls could be shared: step by step, or not at all.
    """

    blob: Blob
    media_type: str
    width: Int32
    height: Int32
    size_bytes: Int64
    seconds: float
    provider: str
    model: str
    model_version: str | None = None
    device: str = "cpu"
    peak_memory: Int64 | None = None
    gpu_util: float | None = None
    mfu: float | None = None
    cost_micros: Int64 | None = None
    bucket: Int32 = 1
    buckets: Buckets | None = None
    engine: EngineKind | None = None
    revised_prompt: str | None = None
    stages: dict[str, float] = {}
    versions: dict[str, str] = {}


class Assessment(Struct, frozen=True, kw_only=True):
    """QA's judgement. `score` 0 to 1, null where QA was told not to look, or nothing could say whether the picture
    shows its prompt; `measures` by name, null where one was not taken; `reasons` say what is wrong.

    `not_judged` are words of the prompt of which the scorer knows nothing, there only where there are any; `embedding`
    is a unit vector as little-endian float16; `reference` that of the pictures whose look is followed, there only
    where there are any; `signature` a perceptual hash of 32 bytes.
    """

    score: float | None
    accepted: bool
    measures: dict[str, float | None]
    reasons: list[str] = []
    embedding: bytes | None = None
    signature: bytes | None = None
    seconds: float | None = None
    not_judged: list[str] | UnsetType = UNSET
    reference: bytes | UnsetType = UNSET


class PromptWish(Struct, frozen=True, kw_only=True):
    """What is asked of one prompt, where those of a batch do not follow from their index alone.

    Words are dealt by `number`. What is not null goes before the same field of the request; `prompt` before all
    others. `entry` and `combo` are places in the request's catalogue.
    """

    number: Int32
    brief: str | None = None
    prompt: str | None = None
    negative_prompt: str | None = None
    style: str | None = None
    style_reference: str | None = None
    entry: Int32 | None = None
    combo: Int32 | None = None


class WritePrompts(Struct, frozen=True, kw_only=True, tag_field="type", tag="WRITE_PROMPTS"):
    """Write prompts `first` to `first + count - 1` of a batch; the same request gives the same prompts.

    `wishes` are one per prompt, or none where each follows from its index. `catalogue` is the blob of a
    `CatalogueSnapshot`. `triggers` are words that wake the LoRAs; finished `prompts` do without.
    `revision` tells a request from those before the batch was amended.
    """

    hash: Id
    client_id: Id
    first: Int32
    count: Int32
    seed: Seed
    style: str = "plain"
    style_reference: str | None = None
    brief: str | None = None
    subjects: list[str] = []
    prompts: list[str] = []
    negative_prompt: str | None = None
    negative_supported: bool = True
    platform: str = ""
    triggers: list[str] = []
    wishes: list[PromptWish] = []
    catalogue: Blob | None = None
    revision: Int32 = 0


class GenerateImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="GENERATE_IMAGE_2"):
    """Make the pixels of one attempt."""

    job: Job


class ScoreImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="SCORE_IMAGE_2"):
    """Judge one picture."""

    job: Job
    picture: Picture


class StoreImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="STORE_IMAGE_2"):
    """File one picture. `kept` is the best candidate of a picture that failed its quality bar; `reused` the picture
    whose pixels these are, by its id, where nothing was made."""

    job: Job
    picture: Picture
    assessment: Assessment
    disposition: Filing = "accepted"
    reused: Id | None = None


class MakeContactSheet(Struct, frozen=True, kw_only=True, tag_field="type", tag="MAKE_CONTACT_SHEET"):
    """Draw the contact sheet of a finished batch from the catalogue. `edition` counts from 0; a batch that was tried
    again has a further one. `brief` and `quantity` are those of its command."""

    hash: Id
    client_id: Id
    edition: Int32 = 0
    brief: str | UnsetType = UNSET
    quantity: Int32 | UnsetType = UNSET


Work = WritePrompts | GenerateImage | ScoreImage | StoreImage | MakeContactSheet
"""Messages of the work queue."""


class JobRef(Struct, frozen=True, kw_only=True):
    """Which attempt an event speaks of."""

    hash: Id
    client_id: Id
    index: Int32
    attempt: Int32
    image_id: Id


class PromptsWritten(Struct, frozen=True, kw_only=True, tag_field="type", tag="PROMPTS_WRITTEN"):
    """Prompts of a batch from index `first` on; `revision` is the request's."""

    hash: Id
    client_id: Id
    first: Int32
    prompts: list[Prompt]
    revision: Int32 = 0


class ImageGenerated(Struct, frozen=True, kw_only=True, tag_field="type", tag="IMAGE_GENERATED"):
    """A generator put pixels into the blob store."""

    ref: JobRef
    picture: Picture


class ImageScored(Struct, frozen=True, kw_only=True, tag_field="type", tag="IMAGE_SCORED"):
    """QA judged a picture; not accepted is a verdict that asks the planner for a new attempt."""

    ref: JobRef
    assessment: Assessment


class ImageStored(Struct, frozen=True, kw_only=True, tag_field="type", tag="IMAGE_STORED"):
    """Storage filed a picture. `key` is its storage key, `url` how to read it, `path` its file on this
    machine or null."""

    ref: JobRef
    key: str
    url: str
    path: str | None = None
    disposition: Filing = "accepted"


class JobFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="JOB_FAILED"):
    """A stage gave up on an attempt, for a reason that redelivery does not cure."""

    ref: JobRef
    stage: Role
    error: ErrorBody


class JobCancelled(Struct, frozen=True, kw_only=True, tag_field="type", tag="JOB_CANCELLED"):
    """A generator dropped an attempt because its batch was cancelled."""

    ref: JobRef


class PromptsFailed(Struct, frozen=True, kw_only=True, tag_field="type", tag="PROMPTS_FAILED"):
    """Prompts could not be written; the batch cannot go on."""

    hash: Id
    client_id: Id
    first: Int32
    error: ErrorBody
    revision: Int32 = 0


class ContactSheetMade(Struct, frozen=True, kw_only=True, tag_field="type", tag="CONTACT_SHEET_MADE"):
    """The contact sheet of a batch is filed."""

    hash: Id
    client_id: Id
    key: str
    path: str | None = None
    edition: Int32 = 0


Event = (
    PromptsWritten
    | PromptsFailed
    | ImageGenerated
    | ImageScored
    | ImageStored
    | JobFailed
    | JobCancelled
    | ContactSheetMade
)
"""Messages of the event stream."""


class CancelBatch(Struct, frozen=True, kw_only=True, tag_field="type", tag="CANCEL_BATCH"):
    """Drop work of a batch, also what is being done now."""

    hash: Id
    client_id: Id


class CancelImage(Struct, frozen=True, kw_only=True, tag_field="type", tag="CANCEL_IMAGE"):
    """Drop one attempt at one picture, also while it is being made."""

    ref: JobRef


class Drain(Struct, frozen=True, kw_only=True, tag_field="type", tag="DRAIN"):
    """Finish what is in hand, take nothing new, end. `instance` null means every process of the role."""

    instance: Id | None = None


Control = CancelBatch | CancelImage | Drain
"""Messages beside the queue."""


class Progress(Struct, frozen=True, kw_only=True, tag_field="type", tag="PROGRESS"):
    """How far an attempt is. Lossy, for displays only. `step` counts denoising steps from 0."""

    ref: JobRef
    stage: Role
    step: Int32
    steps: Int32


class Presence(Struct, frozen=True, kw_only=True, tag_field="type", tag="PRESENCE"):
    """A live process and what it can do, renewed every few seconds in a bucket with a time to live.

    `offers` is everything with weights that a generator knows. The seven lists from `models` to `embeddings` say the
    same to processes that do not read `offers` yet, and are announced by version 0.1 alone: 0.2 leaves them out. A
    reader takes `offers` where there are any, and the lists otherwise. Offers that would make the message too large
    are left to the lists. `style_settings` are those of the styles that have any. `sampler_aliases` are other names of
    the `samplers` -> the name that is listed. `scorers` are what QA tells with whether a picture shows its prompt, by
    the model whose pictures they judge; `*` is every model that is not named.
    """

    role: Role
    instance: Id
    pid: int
    host: str
    version: str
    started_at: str
    slots: int
    busy: int = 0
    device: str | None = None
    models: list[ModelInfo] = []
    loras: list[LoraInfo] = []
    controls: list[ControlInfo] = []
    ip_adapters: list[IpAdapterInfo] = []
    tools: list[ToolInfo] = []
    motions: list[MotionInfo] = []
    embeddings: list[EmbeddingInfo] = []
    samplers: list[str] = []
    sampler_aliases: dict[str, str] = {}
    styles: list[str] = []
    style_references: list[str] = []
    offers: list[Offer] = []
    style_settings: dict[str, StyleSettings] | UnsetType = UNSET
    scorers: list[str] | UnsetType = UNSET


Message = Work | Event | Control | Progress | Presence
"""Everything that agents say to each other, in one union."""


def ref_of(job: Job) -> JobRef:
    """The reference by which events speak of a job."""
    return JobRef(hash=job.hash, client_id=job.client_id, index=job.index, attempt=job.attempt, image_id=job.image_id)
