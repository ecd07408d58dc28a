"""What decides the pixels of a picture, as one struct: it stands in recipes, jobs and records, and its digest is what a
stored picture is found by. Pure module."""

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from protocol.animation import Motion
from protocol.catalogue import ReferenceBlob
from protocol.ids import Seed
from protocol.parameters import Fraction, Lora, Region
from protocol.post import PostStep
from protocol.sources import ControlImage, ImagePrompt, InitImage

Precision = Literal["float32", "float16", "bfloat16"]
"""Type of the numbers that a denoiser computes with."""


class Buckets(Struct, frozen=True, kw_only=True):
    """How many pictures' room the model calls had that a picture was made in, itself counted: 1 is alone. `denoise` is
    (room, calls in a row with it) from the first step to the last, `decode` the room of its decoding; a picture that is
    refined is decoded again, alone. Of a picture with regions, which has a row in each call for each of its prompts,
    `denoise` counts rows."""

    denoise: list[Annotated[list[int], Meta(min_length=2, max_length=2)]]
    decode: int = 1


class PixelSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What decides the pixels of every picture of a batch alike, unless a sweep varies it. Sizes are pixels.

    `init_image` and `controls` are what a picture is made from, `image_prompts` what it follows beside the words,
    `regions` parts with prompts of their own; with `motion` it is a sequence; `post` is done with it afterwards, so
    that it ends in another size than this. `strict` makes it alone in each model call, `buckets` in calls as large as
    these; else they follow the load.

    `prompt_syntax` is what the prompts are written in: `weights` (`prompt_syntax.py`); null where each character is a
    part of the words. The others of the last five are null where the generator's own choice holds: `precision` of the
    denoiser, CPU `threads`, `step_reuse` (how far a step's input may lie from the last one's
    for its result to be used again, relative), and the `guidance_window`: the part of the steps, from 0 to 1, in which
    guidance acts. A field at its default is in neither JSON nor digest.
    """

    width: int
    height: int
    steps: int
    guidance: float
    sampler: str
    model: str
    loras: list[Lora] = []
    init_image: InitImage | None = None
    controls: list[ControlImage] = []
    image_prompts: list[ImagePrompt] = []
    regions: list[Region] = []
    post: list[PostStep] = []
    motion: Motion | None = None
    strict: bool = False
    buckets: Buckets | None = None
    precision: Precision | None = None
    threads: int | None = None
    prompt_syntax: str | None = None
    step_reuse: float | None = None
    guidance_window: tuple[Fraction, Fraction] | None = None


class PixelSpec(PixelSettings, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that decides the pixels of one picture, but for the weights. `references` are pictures of a catalogue
    that go along with the prompt."""

    prompt: str
    negative_prompt: str = ""
    references: list[ReferenceBlob] = []
    seed: Seed


def pixel_spec(settings: PixelSettings, **own: Any) -> PixelSpec:
    """The settings of a batch with what a picture has of its `own`."""
    values: dict[str, Any] = msgspec.structs.asdict(settings) | own
    return PixelSpec(**values)


UNBUILT_SETTINGS = ("precision", "threads", "step_reuse", "guidance_window")
"""Settings that have a place and that no engine obeys yet."""

_decode = msgspec.json.Decoder(PixelSpec).decode


def pixel_digest(spec: PixelSpec, model_version: str) -> str:
    """SHA-256, hexadecimal, of everything that decides the pixels of a picture, whoever it is for and however often it
    was tried. `model_version` is the hash of the weights, adapters included, as in `Picture`."""
    encoded = msgspec.json.encode(spec)
    canonical = msgspec.json.encode(_decode(encoded))  # 3 and 3.0 of a field of floats are one number
    return hashlib.sha256(canonical + b"\n" + model_version.encode()).hexdigest()
