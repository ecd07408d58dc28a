"""Commands: what a client may ask for. One tagged union, told apart by `cmd`.

Every field of every command is declared here from the first version; `NOT_BUILT_COMMANDS` and
`NOT_BUILT_FIELDS` name those that a server of this version refuses with `not_supported`. Fields are added
with a default and never change their type. Unknown fields are refused. Pure module.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol.animation import Animation
from protocol.ids import Id, Label, WantedSeed
from protocol.parameters import (
    MAX_QUANTITY,
    NO_NUL,
    Budget,
    Catalogue,
    Combos,
    ControlNet,
    CostsBy,
    Export,
    Fraction,
    ImageSource,
    Lora,
    NegativeText,
    Offset,
    Placement,
    Quality,
    Reference,
    Region,
    RenderQuality,
    Requirements,
    RespondFormat,
    Scalar,
    ServiceClass,
    Sweep,
    Text,
    Variants,
)
from protocol.post import PostStep


class GenerateImages(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="GENERATE_IMAGES"
):
    """Make pictures. Every field may be left out."""

    style: Label | None = None
    """Name of a style template; null keeps the brief as it is."""
    requirements: Requirements = Requirements()
    platform: Label | None = None
    """Model family, such as `stable_diffusion_xl`; null leaves the choice to the planner."""
    models: Annotated[list[Label], Meta(max_length=16)] = []
    """Names of the base model and of adapters."""
    quality: Quality = Quality()
    respond_format: RespondFormat = "GENERATION_PLAN"
    """Which reply is wanted. GENERATION_RESULT waits, at most 30 s."""

    command_id: Id | None = None
    """A command resent with the same id is done once and answered with the first plan."""
    client_id: Id | None = None
    """Who asks; must be the client of the subject where it is given."""
    brief: Text | None = None
    """What the pictures show, in plain words."""
    subjects: Annotated[list[Text], Meta(max_length=1000)] = []
    """What to show, in turn, in the pictures of the batch."""
    prompts: Annotated[list[Text], Meta(max_length=1000)] = []
    """Finished prompts, taken in turn as they are."""
    negative_prompt: NegativeText | None = None
    """What the pictures must not show."""
    section: Id | None = None
    """Where the pictures will be used; part of their file names."""
    seed: WantedSeed | None = None
    """Seed of the first picture; the others derive from it. Null and -1 draw one."""
    steps: Annotated[int, Meta(ge=1, le=150)] | None = None
    """Denoising steps; null is the model's default."""
    guidance: Annotated[float, Meta(ge=0.0, le=50.0)] | None = None
    """Classifier-free guidance scale; null is the model's default."""
    sampler: Label | None = None
    """Sampler by the name that people use, such as `DPM++ 2M Karras`."""
    loras: Annotated[list[Lora], Meta(max_length=16)] = []
    """Adapters with weights."""
    controls: Annotated[list[ControlNet], Meta(max_length=8)] = []
    """Structural guidance."""
    init_image: ImageSource | None = None
    """Picture to start from."""
    strength: Annotated[float, Meta(gt=0.0, le=1.0)] | None = None
    """How much of the initial picture is made anew: that part of the steps is run. Null is 0.6, and 1 with a mask or a
    placement."""
    mask: ImageSource | None = None
    """White where the initial picture is painted anew, black where it stays as it is; of the same size."""
    placement: Placement | None = None
    """Where the initial picture lies in a larger one that is painted around it; null lets it fill the whole."""
    regions: Annotated[list[Region], Meta(max_length=8)] = []
    """Parts of each picture with prompts of their own, taken as they are; the rest shows what the command says."""
    animation: Animation | None = None
    """A short sequence instead of a still picture; null is a still one."""
    references: Annotated[list[Reference], Meta(max_length=16)] = []
    """Pictures to follow beside the words, such as a style or a character that is the same in all of them."""
    sweep: Sweep | None = None
    """Values to try for fields of the command; the pictures are the combinations times the quantity."""
    catalogue: Catalogue | None = None
    """Prompt files to run through, each `quantity` times."""
    combos: Combos | None = None
    """Folders of reference pictures; each is run with each prompt of the catalogue."""
    variants: Variants | None = None
    """A/B test of prompts."""
    post: Annotated[list[PostStep], Meta(max_length=16)] = []
    """Steps after generation, in order."""
    export: Export | None = None
    """Extra files."""
    budget: Budget | None = None
    """The most that the command may cost; a plan beyond it is refused."""
    hold: bool = False
    """Answer with the plan and wait for APPROVE."""
    dry_run: bool | UnsetType = UNSET
    """Answer with the plan and keep nothing: no batch is begun and no money is held, whatever `hold` says."""
    dry_run_first: Offset | UnsetType = UNSET
    """With `dry_run`: index of the first picture that the plan lists."""
    priority: ServiceClass | None = None
    """Class of service; interactive pictures are made first. Null is interactive for a small batch."""
    deadline: Annotated[datetime, Meta(tz=True)] | None = None
    """When the batch must have ended: what is left then is cancelled."""
    not_before: Annotated[datetime, Meta(tz=True)] | None = None
    """When the batch may begin."""
    provider: Label | None = None
    """Who makes the pictures, where a platform has several."""
    fallbacks: Annotated[list[Label], Meta(max_length=16)] = []
    """Providers to try, in order, when the first fails."""
    determinism: Literal["relaxed", "strict"] | None = None
    """Strict gives the same bits on the same build under any load, each picture alone in the model's calls; relaxed,
    the default, lets pictures share them, which may change last bits."""
    render_quality: RenderQuality | None = None
    """A provider's own word for quality; a model of this workshop takes fewer or more steps for it."""
    max_attempts: Annotated[int, Meta(ge=1, le=10)] | None = None
    """Attempts at one picture before it counts as failed."""
    reuse: bool = True
    """Whether a stored picture that is the same in everything that decides its pixels is returned instead of making it
    again. Only where a seed is given, because no other picture can be the same."""
    signed_urls: bool = False
    """Whether results carry URLs that expire."""
    metadata: Annotated[dict[Annotated[str, Meta(max_length=128, pattern=NO_NUL)], Scalar], Meta(max_length=64)] = {}
    """The caller's own, kept and returned."""


class Approve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="APPROVE"):
    """Start a held plan."""

    hash: Id
    """The batch."""
    approval: Id
    """The token that the held plan carried."""
    client_id: Id | None = None


class Status(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="STATUS"):
    """Where a batch stands."""

    hash: Id
    """The batch."""
    client_id: Id | None = None


class Result(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RESULT"):
    """The pictures of a batch, a page at a time."""

    hash: Id
    """The batch."""
    first: Offset = 0
    """Index of the first picture of the page."""
    count: Annotated[int, Meta(ge=1, le=200)] = 100
    wait_s: Annotated[float, Meta(ge=0.0, le=30.0)] = 0.0
    """Seconds to wait for the end of the batch before answering."""
    client_id: Id | None = None


class List(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="LIST"):
    """The client's batches, newest first."""

    first: Offset = 0
    count: Annotated[int, Meta(ge=1, le=200)] = 50
    client_id: Id | None = None


class Capabilities(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="CAPABILITIES"):
    """What the workshop can do right now: live processes, models, styles, limits."""

    client_id: Id | None = None


class Cancel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="CANCEL"):
    """Stop a batch: everything, what has not started, or one picture."""

    hash: Id
    """The batch."""
    what: Literal["all", "pending"] = "all"
    image_id: Id | None = None
    """One picture; the rest of the batch goes on."""
    client_id: Id | None = None


class Pause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="PAUSE"):
    """Hand out no further pictures of a batch."""

    hash: Id
    """The batch."""
    client_id: Id | None = None


class Resume(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RESUME"):
    """Go on with a paused batch."""

    hash: Id
    """The batch."""
    client_id: Id | None = None


class Amend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="AMEND"):
    """Change what has not started yet."""

    hash: Id
    """The batch."""
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] | None = None
    """Pictures in the batch; not below those that were started."""
    min_score: Fraction | None = None
    negative_prompt: NegativeText | None = None
    client_id: Id | None = None


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RETRY"):
    """Try failed pictures again, or one of them."""

    hash: Id
    """The batch."""
    image_id: Id | None = None
    """One picture that failed, or that was cancelled alone; null means all that failed."""
    client_id: Id | None = None


class Upgrade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="UPGRADE"):
    """Make finished pictures again at a higher resolution or quality, linked to their parents."""

    hash: Id
    """The batch."""
    image_ids: Annotated[list[Id], Meta(max_length=1000)] = []
    """The pictures; none means all that are completed, once the batch has ended."""
    resolution: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    """As in `requirements`."""
    render_quality: RenderQuality | None = None
    """As in GENERATE_IMAGES. One of the two must be given."""
    command_id: Id | None = None
    """A command resent with the same id is done once and answered with the first plan."""
    client_id: Id | None = None


class Priority(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="PRIORITY"):
    """Move a batch between the interactive and the batch class."""

    hash: Id
    """The batch."""
    priority: ServiceClass
    client_id: Id | None = None


class Rate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RATE"):
    """A person's stars for a picture."""

    image_id: Id
    stars: Annotated[int, Meta(ge=0, le=5)]
    note: str | None = None
    client_id: Id | None = None


class Select(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="SELECT"):
    """Keep the best pictures of a batch."""

    hash: Id
    """The batch."""
    best: Annotated[int, Meta(ge=1, le=1000)] = 4
    by: Literal["score", "stars"] = "score"
    client_id: Id | None = None


class Edit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="EDIT"):
    """A new version of a picture after an instruction."""

    image_id: Id
    instruction: Text
    strength: Fraction | None = None
    client_id: Id | None = None


class Costs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="COSTS"):
    """What the client's pictures cost, in groups, over a span of time."""

    since: Annotated[datetime, Meta(tz=True)] | None = None
    """Charged at this time or later; null is from the beginning."""
    until: Annotated[datetime, Meta(tz=True)] | None = None
    """Charged before this time; null is until now."""
    client_id: Id | None = None
    hash: Id | None = None
    """One batch; null is all of them."""
    by: CostsBy = "provider"
    """What the costs are grouped by."""
    first: Offset = 0
    """How many groups to pass over."""
    count: Annotated[int, Meta(ge=1, le=200)] = 50


class Delete(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="DELETE"):
    """Remove pictures and their records."""

    hash: Id | None = None
    image_ids: list[Id] = []
    client_id: Id | None = None


Command = (
    GenerateImages
    | Approve
    | Status
    | Result
    | List
    | Capabilities
    | Cancel
    | Pause
    | Resume
    | Amend
    | Retry
    | Upgrade
    | Priority
    | Rate
    | Select
    | Edit
    | Costs
    | Delete
)
"""Everything that may be sent to `acp.v1.command.<client>`."""

NOT_BUILT_COMMANDS: tuple[type[Struct], ...] = (
    Rate,
    Select,
    Edit,
    Delete,
)
"""Commands that are declared and refused with `not_supported`."""

NOT_BUILT_FIELDS: dict[type[Struct], tuple[str, ...]] = {
    GenerateImages: (
        "variants",
        "provider",
        "fallbacks",
        "signed_urls",
    ),
    Export: (
        "formats",
        "jpeg_quality",
        "best",
    ),
}
"""Fields of commands and of their parts that are refused with `not_supported` when they are given a value other than
their default."""


def not_built_names() -> list[str]:
    """Commands by their tags, and fields as they are written: `variants`, `export.formats`."""
    fields = [
        name if kind is GenerateImages else f"{kind.__name__.lower()}.{name}"
        for kind, names in NOT_BUILT_FIELDS.items()
        for name in names
    ]
    return [*(str(kind.__struct_config__.tag) for kind in NOT_BUILT_COMMANDS), *fields]
