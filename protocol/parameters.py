"""Parameters of commands: the parts that a wish for pictures is made of.

Unknown fields are refused, because a misspelt wish that is ignored makes the wrong pictures. Pure module.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from protocol.ids import MAX_SEED, Id, Label

NO_NUL = r"^[^\u0000]*$"
"""Text without U+0000, which PostgreSQL cannot keep and C libraries end at."""

Text = Annotated[str, Meta(min_length=1, max_length=4000, pattern=NO_NUL, description="1 to 4000 characters, no NUL")]
"""A prompt, a brief or a subject: text that a person wrote."""

NegativeText = Annotated[str, Meta(max_length=4000, pattern=NO_NUL, description="at most 4000 characters, no NUL")]
Fraction = Annotated[float, Meta(ge=0.0, le=1.0, description="0 to 1")]
Scalar = (
    Annotated[str, Meta(max_length=1000, pattern=NO_NUL)]
    | Annotated[int, Meta(ge=-MAX_SEED, le=MAX_SEED)]
    | float
    | bool
    | None
)
"""A plain value: text up to 1000 characters, a number that JSON readers keep exact, true, false, null."""

Offset = Annotated[int, Meta(ge=0, le=MAX_SEED, description="an index from 0")]

RespondFormat = Literal["GENERATION_PLAN", "GENERATION_STATUS", "GENERATION_RESULT"]
RenderQuality = Literal["low", "medium", "standard", "high", "hd", "auto"]
CostsBy = Literal["provider", "model", "day", "batch"]
"""What costs are grouped by; days are UTC."""

ServiceClass = Literal["interactive", "batch"]
"""Class of service: interactive pictures go before those of batches."""

EngineKind = Literal["steps", "pipeline"]
"""`steps`: the model's calls are shared with other pictures; `pipeline`: a picture has its calls for itself."""

Filing = Literal["accepted", "kept"]
"""Why a picture is filed: it passed the bar, or it is the best of those that did not."""

MAX_QUANTITY = 1_000_000
"""Pictures in one batch."""


class Requirements(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many pictures, how large, after which style reference."""

    quantity: Annotated[int, Meta(ge=1, le=MAX_QUANTITY)] = 1
    """Pictures in the batch."""
    resolution: Annotated[str, Meta(min_length=1, max_length=32)] | None = None
    """`WxH` in pixels, an aspect such as `16:9`, or `1K`, `2K`, `4K`; null is the model's native size."""
    style_reference: Label | None = None
    """Name of a style reference, such as `brand_guidelines_v2`: palette, mood, lens, negative prompt."""


class StyleSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Settings that a style brings along, which apply where a command is silent. `lora_weight` is that of adapters that
    are named without one; `quantity` is what the style is meant for: the plan says it, and makes as many pictures as
    were asked for."""

    sampler: str | None = None
    steps: int | None = None
    guidance: float | None = None
    lora_weight: float | None = None
    quantity: int | None = None
    resolution: str | None = None


class Quality(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Thresholds."""

    min_score: Fraction | None = None
    """QA score below which a picture is made again; null is the workshop's own bar."""
    consistency: Fraction | None = None
    """Least likeness of a picture to the centre of its batch; one that is below is made again when all have a score."""


class Lora(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An adapter by name."""

    name: Label
    weight: Annotated[float, Meta(ge=-4.0, le=4.0)] = 0.8
    """Strength; 0.6 to 0.9 is typical."""


BlobName = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?!\n)$", description="SHA-256, hexadecimal")]


class ImageSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A picture. Exactly one field is given."""

    image_id: Id | None = None
    """A picture that the workshop made."""
    blob: BlobName | None = None
    """A picture in the blob store, by its SHA-256, that the client brought or had made."""
    url: Annotated[str, Meta(max_length=2000)] | None = None
    """A picture that the workshop may fetch."""


class Placement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the initial picture lies in a larger one, whose rest is painted around it. Null is the middle."""

    left: Annotated[int, Meta(ge=0, le=16384)] | None = None
    """Pixels between the left border and the picture."""
    top: Annotated[int, Meta(ge=0, le=16384)] | None = None
    """Pixels between the upper border and the picture."""


ControlKind = Literal["canny", "depth", "normal", "pose", "segmentation"]


class ControlNet(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Structural guidance from a picture."""

    kind: ControlKind
    image: ImageSource
    weight: Annotated[float, Meta(ge=0.0, le=2.0)] = 1.0
    preprocessed: bool = False
    """Whether the picture already is an edge, depth or pose map."""
    start: Fraction = 0.0
    """Part of the denoising steps after which it is followed."""
    end: Fraction = 1.0
    """Part of the denoising steps after which it is not followed any more."""


class Region(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the picture with a prompt of its own."""

    prompt: Text
    box: Annotated[list[Fraction], Meta(min_length=4, max_length=4)]
    """Left, top, width, height, as parts of the picture's width and height."""
    weight: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0
    """How much this prompt counts in its box; the command's own prompt has the rest."""


ReferenceRole = Literal["style", "subject", "character", "composition", "palette"]


class Reference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A picture to follow: every picture of the batch follows the same ones."""

    image: ImageSource
    role: ReferenceRole = "style"
    """What to take from the picture. Those of one role and weight are looked at together; others add to them."""
    weight: Annotated[float, Meta(gt=0.0, le=2.0)] = 0.6
    """Beside the words: 0.6 leaves them room, at 1 the picture outweighs them."""


class Sweep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values to try for fields of the command."""

    mode: Literal["grid", "list"] = "grid"
    """Every combination, the last field varying fastest; or side by side."""
    values: dict[str, list[Scalar]]
    """Field name to the values to try. Names are in `protocol/sweep.py`; `lora:NAME` is the weight of an adapter."""


class Catalogue(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompt files to run through."""

    names: Annotated[list[Label], Meta(min_length=1, max_length=64)]
    """Catalogues by name, such as `v3.2` for the folder `catalog_v3.2`."""
    prompts: Annotated[list[Label], Meta(max_length=1000)] = []
    """Prompt ids to keep, whole or short (`ZH01`); none means all."""
    output_template: str | None = None
    """Folder and file name of each picture; null is the tree of catalogues in `protocol/template.py`."""


class Combos(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Folders of reference pictures; each is run with each prompt of the catalogue."""

    wardrobe: Label | None = None
    """What is worn, such as `zip-hoodie`; null means every wardrobe."""
    ui_style: Label | None = None
    """The style of the interface, such as `Orange`; null means every style."""
    names: Annotated[list[Label], Meta(max_length=1000)] = []
    """Combos by id, such as `C-U-013`; none means all."""


class Variants(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompt variants to compare fairly, with the same seeds."""

    prompts: list[Text]
    images_each: Annotated[int, Meta(ge=1, le=100)] = 4
    """Pictures of each variant."""


class Export(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Extra files beside the stored PNG."""

    formats: list[Literal["png", "jpeg", "webp", "avif"]] = []
    jpeg_quality: Annotated[int, Meta(ge=1, le=100)] = 90
    name_template: str | None = None
    """Name of each file, such as `{date}_{section}_{colour}_{seed}`; a `/` parts folders. Null is the workshop's own,
    or that of the catalogue."""
    best: Annotated[int, Meta(ge=1, le=1000)] | None = None
    """How many of the best pictures to export; null means all."""


class Limit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that may be spent."""

    amount: Annotated[float, Meta(ge=0.0, le=1_000_000.0)]
    """Currency units (dollars)."""
    currency: Literal["USD"] = "USD"


class Budget(Limit, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The most that a command may cost."""

    unpriced: Literal["refuse", "allow"] | UnsetType = UNSET
    """What becomes of a command whose price is not known, so that its budget cannot be kept: `refuse`, the default, or
    `allow` it to run without one."""
