"""Commands: what a client may ask for. One tagged union, told apart by `cmd`.

Every field of every command is declared here from the first version; `NOT_BUILT` names those that a server of
this version refuses with `not_supported`. Fields are added with a default and never change their type.
Unknown fields are refused at the door. Pure module.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from protocol.ids import Id, Label, Seed

Text = Annotated[str, Meta(min_length=1, max_length=4000)]
"""A prompt, a brief or a subject: text that a person wrote."""

Fraction = Annotated[float, Meta(ge=0.0, le=1.0)]
Scalar = str | int | float | bool | None
RespondFormat = Literal["GENERATION_PLAN", "GENERATION_STATUS", "GENERATION_RESULT"]

MAX_QUANTITY = 1_000_000
"""Pictures in one batch."""


class Requirements(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many pictures, how large, after which style reference."""

    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] = 1
    resolution: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    """`WxH` in pixels, an aspect such as `16:9`, or `1K`, `2K`, `4K`; null is the model's native size."""
    style_reference: Label | None = None


class Quality(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds. Below `min_score` a picture is made again; `consistency` is the wish for the whole batch."""

    min_score: Fraction | None = None
    consistency: Fraction | None = None


class Lora(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An adapter by name. Typical weights are 0.6 to 0.9."""

    name: Label
    weight: Annotated[float, Meta(ge=-4.0, le=4.0)] = 0.8


class ImageSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A picture that the workshop holds (`image_id` or `blob`) or may fetch (`url`). Exactly one is given."""

    image_id: Id | None = None
    blob: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None = None
    url: Annotated[str, Meta(max_length=2000)] | None = None


class ControlNet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Structural guidance from a picture. `preprocessed` says the picture already is an edge, depth or pose map."""

    kind: Literal["canny", "depth", "normal", "pose", "segmentation"]
    image: ImageSource
    weight: Annotated[float, Meta(ge=0.0, le=2.0)] = 1.0
    preprocessed: bool = False


class Reference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A picture to follow, and what to take from it."""

    image: ImageSource
    role: Literal["style", "subject", "character", "composition", "palette"] = "style"
    weight: Annotated[float, Meta(ge=0.0, le=2.0)] = 1.0


class Sweep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values to try for fields of the command: every combination (`grid`) or side by side (`list`)."""

    mode: Literal["grid", "list"] = "grid"
    values: dict[str, list[Scalar]]


class Catalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompt files to run through, by catalogue name."""

    names: list[Label]
    prompts: list[Label] = []
    output_template: str | None = None


class Combos(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Folders of reference pictures; each is run with each prompt of the catalogue."""

    wardrobe: Label | None = None
    ui_style: Label | None = None
    names: list[Label] = []


class Variants(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompt variants to compare fairly, with the same seeds."""

    prompts: list[Text]
    images_each: Annotated[int, Meta(ge=1, le=100)] = 4


class PostStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step after generation."""

    op: Literal[
        "upscale", "face_restore", "colour_correct", "palette_snap", "refine", "artefact_removal", "cutout"
    ]
    scale: Annotated[float, Meta(ge=1.0, le=8.0)] | None = None
    strength: Fraction | None = None
    model: Label | None = None


class Export(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Extra files beside the stored PNG."""

    formats: list[Literal["png", "jpeg", "webp", "avif"]] = []
    jpeg_quality: Annotated[int, Meta(ge=1, le=100)] = 90
    name_template: str | None = None
    best: Annotated[int, Meta(ge=1, le=1000)] | None = None


class Budget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that the command may cost, in currency units (dollars)."""

    amount: Annotated[float, Meta(ge=0.0, le=1_000_000.0)]
    currency: Literal["USD"] = "USD"


class GenerateImages(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="GENERATE_IMAGES"
):
    """Make pictures. Every field may be left out."""

    style: Label | None = None
    requirements: Requirements = Requirements()
    platform: Label | None = None
    models: Annotated[list[Label], Meta(max_length=16)] = []
    quality: Quality = Quality()
    respond_format: RespondFormat = "GENERATION_PLAN"

    command_id: Id | None = None
    client_id: Id | None = None
    brief: Text | None = None
    subjects: Annotated[list[Text], Meta(max_length=1000)] = []
    prompts: Annotated[list[Text], Meta(max_length=1000)] = []
    negative_prompt: Annotated[str, Meta(max_length=4000)] | None = None
    section: Id | None = None
    seed: Seed | None = None
    steps: Annotated[int, Meta(ge=1, le=150)] | None = None
    guidance: Annotated[float, Meta(ge=0.0, le=50.0)] | None = None
    sampler: Label | None = None
    loras: Annotated[list[Lora], Meta(max_length=16)] = []
    controls: Annotated[list[ControlNet], Meta(max_length=8)] = []
    init_image: ImageSource | None = None
    mask: ImageSource | None = None
    references: Annotated[list[Reference], Meta(max_length=16)] = []
    sweep: Sweep | None = None
    catalogue: Catalogue | None = None
    combos: Combos | None = None
    variants: Variants | None = None
    post: Annotated[list[PostStep], Meta(max_length=16)] = []
    export: Export | None = None
    budget: Budget | None = None
    hold: bool = False
    priority: Literal["interactive", "batch"] | None = None
    deadline: datetime | None = None
    not_before: datetime | None = None
    provider: Label | None = None
    fallbacks: Annotated[list[Label], Meta(max_length=16)] = []
    determinism: Literal["relaxed", "strict"] | None = None
    render_quality: Literal["low", "medium", "standard", "high", "hd", "auto"] | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=10)] | None = None
    signed_urls: bool = False
    metadata: Annotated[dict[str, Scalar], Meta(max_length=64)] = {}


class Approve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="APPROVE"):
    """Start a held plan, with the token that the plan carried."""

    hash: Id
    approval: Id
    client_id: Id | None = None


class Status(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="STATUS"):
    """Where a batch stands."""

    hash: Id
    client_id: Id | None = None


class Result(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RESULT"):
    """The pictures of a batch, a page at a time; waits up to `wait_s` seconds for its end."""

    hash: Id
    first: Annotated[int, Meta(ge=0)] = 0
    count: Annotated[int, Meta(ge=1, le=200)] = 100
    wait_s: Annotated[float, Meta(ge=0.0, le=30.0)] = 0.0
    client_id: Id | None = None


class List(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="LIST"):
    """The client's batches, newest first."""

    first: Annotated[int, Meta(ge=0)] = 0
    count: Annotated[int, Meta(ge=1, le=200)] = 50
    client_id: Id | None = None


class Capabilities(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="CAPABILITIES"
):
    """What the workshop can do right now: live processes, models, styles, limits."""

    client_id: Id | None = None


class Cancel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="CANCEL"):
    """Stop a batch: everything, what has not started, or one picture."""

    hash: Id
    what: Literal["all", "pending"] = "all"
    image_id: Id | None = None
    client_id: Id | None = None


class Pause(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="PAUSE"):
    """Hand out no further pictures of a batch."""

    hash: Id
    client_id: Id | None = None


class Resume(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RESUME"):
    """Go on with a paused batch."""

    hash: Id
    client_id: Id | None = None


class Amend(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="AMEND"):
    """Change what has not started yet."""

    hash: Id
    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] | None = None
    min_score: Fraction | None = None
    negative_prompt: str | None = None
    client_id: Id | None = None


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="RETRY"):
    """Try failed pictures again, or one of them."""

    hash: Id
    image_id: Id | None = None
    client_id: Id | None = None


class Upgrade(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="UPGRADE"):
    """Make finished pictures again at a higher resolution or quality, linked to their parents."""

    hash: Id
    image_ids: list[Id] = []
    resolution: str | None = None
    render_quality: Literal["low", "medium", "standard", "high", "hd", "auto"] | None = None
    client_id: Id | None = None


class Priority(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="cmd", tag="PRIORITY"
):
    """Move a batch between the interactive and the batch class."""

    hash: Id
    priority: Literal["interactive", "batch"]
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
    """Spend of the client, by provider, over a span of time."""

    since: datetime | None = None
    until: datetime | None = None
    client_id: Id | None = None


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
    Pause,
    Resume,
    Amend,
    Retry,
    Upgrade,
    Priority,
    Rate,
    Select,
    Edit,
    Costs,
    Delete,
)
"""Commands that are declared and refused with `not_supported`."""

NOT_BUILT_FIELDS: dict[type[Struct], tuple[str, ...]] = {
    GenerateImages: (
        "controls",
        "init_image",
        "mask",
        "references",
        "sweep",
        "catalogue",
        "combos",
        "variants",
        "post",
        "export",
        "budget",
        "priority",
        "deadline",
        "not_before",
        "provider",
        "fallbacks",
        "determinism",
        "render_quality",
        "signed_urls",
    ),
    Cancel: ("image_id",),
}
"""Fields that are declared and refused with `not_supported` when they are given a value other than their default."""
