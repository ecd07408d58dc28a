"""What a person asked for on the command line, as a command of the protocol. Pure."""

import math
from dataclasses import dataclass, field
from typing import Literal

from msgspec import UNSET

from agents.doors.cli.errors import bad_input
from protocol.animation import Animation
from protocol.codec import decode_command, encode
from protocol.commands import GenerateImages, Lora, Quality, Requirements
from protocol.parameters import Budget, ControlNet, Export, ImageSource, Placement, Reference, Region, Sweep
from protocol.post import PostStep


@dataclass(frozen=True)
class GenerateOptions:
    """The flags of `bottega generate`, as typed; pictures are still paths or ids."""

    brief: str | None
    number: int = 1
    style: str | None = None
    platform: str | None = None
    size: str | None = None
    seed: int | None = None
    steps: int | None = None
    guidance: float | None = None
    loras: list[str] = field(default_factory=list[str])
    min_score: float | None = None
    negative: str | None = None
    image: ImageSource | None = None
    strength: float | None = None
    mask: ImageSource | None = None
    placement: Placement | None = None
    controls: list[ControlNet] = field(default_factory=list[ControlNet])
    regions: list[str] = field(default_factory=list[str])
    references: list[Reference] = field(default_factory=list[Reference])
    post: list[PostStep] = field(default_factory=list[PostStep])
    frames: int | None = None
    fps: int | None = None
    reuse: bool = True
    sampler: str | None = None
    models: list[str] = field(default_factory=list[str])
    style_reference: str | None = None
    subjects: list[str] = field(default_factory=list[str])
    prompts: list[str] = field(default_factory=list[str])
    section: str | None = None
    name_template: str | None = None
    budget: float | None = None
    unpriced: Literal["refuse", "allow"] | None = None
    consistency: float | None = None
    max_attempts: int | None = None
    hold: bool = False
    sweep: Sweep | None = None


def command_of(options: GenerateOptions) -> GenerateImages:
    """The command, checked as the planner's door will check it, so that bad input needs no workshop.

    Raises:
        AcpError: a value that the protocol does not allow, with its path.
        Failure: a LoRA that is not written NAME or NAME:WEIGHT, a region that is not PROMPT@LEFT,TOP,WIDTH,HEIGHT, a
            number that JSON cannot say, or nothing to show.
    """
    if options.brief is None and not says_what_to_show(options):
        raise bad_input(
            "nothing says what the pictures should show",
            hint='bottega generate "a red car on a green field"; or --prompt, --subject',
            code="missing_field",
        )
    if options.unpriced is not None and options.budget is None:
        raise bad_input("--unpriced says what becomes of a budget, and there is none", hint="add --budget USD")
    numbers = {
        "--guidance": options.guidance,
        "--min-score": options.min_score,
        "--consistency": options.consistency,
        "--strength": options.strength,
        "--budget": options.budget,
    }
    for flag, number in numbers.items():
        if number is not None and not math.isfinite(number):
            raise bad_input(f"{flag} {number} is not a finite number", hint="give a number, or leave it out")
    command = GenerateImages(
        brief=options.brief,
        style=options.style,
        platform=options.platform,
        models=options.models,
        requirements=Requirements(
            quantity=options.number, resolution=options.size, style_reference=options.style_reference
        ),
        quality=Quality(min_score=options.min_score, consistency=options.consistency),
        subjects=options.subjects,
        prompts=options.prompts,
        section=options.section,
        sampler=options.sampler,
        sweep=options.sweep,
        export=Export(name_template=options.name_template) if options.name_template is not None else None,
        budget=_budget_of(options),
        max_attempts=options.max_attempts,
        hold=options.hold,
        negative_prompt=options.negative,
        seed=options.seed,
        steps=options.steps,
        guidance=options.guidance,
        loras=[parse_lora(text) for text in options.loras],
        init_image=options.image,
        strength=options.strength,
        mask=options.mask,
        placement=options.placement,
        controls=options.controls,
        regions=[parse_region(text) for text in options.regions],
        references=options.references,
        post=options.post,
        animation=animation_of(options.frames, options.fps),
        reuse=options.reuse,
    )
    decode_command(encode(command))
    return command


def says_what_to_show(options: GenerateOptions) -> bool:
    """Whether flags say it in place of the brief."""
    swept = options.sweep.values if options.sweep else {}
    return bool(options.prompts or options.subjects or "prompt" in swept or "brief" in swept)


def parse_lora(text: str) -> Lora:
    """`NAME` or `NAME:WEIGHT`.

    Raises:
        Failure: the weight is not a number, or there is no name.
    """
    name, separator, weight = text.rpartition(":")
    if not separator:
        return Lora(name=text)
    try:
        number = float(weight)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise bad_input(
            f"--lora {text} does not end in a weight", hint="write NAME:WEIGHT, such as product_lora_v3:0.8"
        )
    return Lora(name=name, weight=number)


def animation_of(frames: int | None, fps: int | None) -> Animation | None:
    """A sequence of so many frames, so many a second; null where neither is given."""
    given = {name: value for name, value in (("frames", frames), ("fps", fps)) if value is not None}
    return Animation(**given) if given else None


def parse_region(text: str) -> Region:
    """`PROMPT@LEFT,TOP,WIDTH,HEIGHT` or `PROMPT@LEFT,TOP,WIDTH,HEIGHT:WEIGHT`.

    Raises:
        Failure: not of that form.
    """
    prompt, _, place = text.rpartition("@")
    box, _, weight = place.partition(":")
    try:
        sides, much = [float(side) for side in box.split(",")], float(weight or 1)
    except ValueError:
        sides, much = [], math.nan
    if not prompt or len(sides) != 4 or not all(map(math.isfinite, [*sides, much])):
        raise bad_input(
            f"--region {text} is not PROMPT@LEFT,TOP,WIDTH,HEIGHT",
            hint="parts of the picture, such as a red mug@0,0,0.5,1 for its left half",
        )
    return Region(prompt=prompt, box=sides, weight=much)


def _budget_of(options: GenerateOptions) -> Budget | None:
    return None if options.budget is None else Budget(amount=options.budget, unpriced=options.unpriced or UNSET)
