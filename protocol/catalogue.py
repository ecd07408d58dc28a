"""Catalogues between agents: prompts from files, combos of reference pictures, and which of them a picture is of.

The planner reads the folders once, when it plans, and puts what it read into the blob store as one snapshot, so that a
batch stays what it was planned to be when the files change. Pure module.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Blob = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the bytes, hexadecimal")]

Asset = Literal["ui", "wardrobe", "bottom", "product", "pose", "other"]
"""What a reference picture shows."""

Pose = Literal["full", "mcu"]
"""`full`: straight, full height. `mcu`: medium close-up."""


class ReferenceBlob(Struct, frozen=True, kw_only=True):
    """A reference picture by its bytes in the blob store. `pose` is null where it shows none that is named."""

    blob: Blob
    media_type: str
    asset: Asset = "other"
    pose: Pose | None = None


class CatalogueEntry(Struct, frozen=True, kw_only=True):
    """A prompt file. `id` is its name without ending, such as `ZH01_unboxing_experience`; `pose` is what its text
    asks for."""

    catalogue: str
    id: str
    text: str
    pose: Pose | None = None


class CatalogueCombo(Struct, frozen=True, kw_only=True):
    """A combo folder: the only source of the reference pictures of its jobs. `description` says what is worn."""

    id: str
    wardrobe: str
    ui_style: str
    description: str
    references: list[ReferenceBlob]


class CatalogueSnapshot(Struct, frozen=True, kw_only=True):
    """What a batch runs through: each combo with each entry, combos outermost. No combos: entries alone."""

    entries: list[CatalogueEntry]
    combos: list[CatalogueCombo] = []


class Catalogued(Struct, frozen=True, kw_only=True):
    """Which prompt and combo a picture is of. `quality` is the size in the words it was asked for, such as `1K`."""

    catalogue: str
    prompt_id: str
    quality: str
    wardrobe: str | None = None
    ui_style: str | None = None
    combo: str | None = None


def short_id(prompt_id: str) -> str:
    """The short form of a prompt id, which names files: `ZH01` of `ZH01_unboxing_experience`."""
    return prompt_id.split("_", 1)[0] or prompt_id
