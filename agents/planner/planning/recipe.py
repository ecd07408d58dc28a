"""From a command and what the workshop can do to a recipe, or to a refusal that names what would work.

Pure module: no clock, no I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from agents.planner.planning import (
    animation,
    consistency,
    post_processing,
    reference_images,
    regions,
    sizes,
    style_settings,
)
from agents.planner.planning import source_images as pictures
from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.command_texts import Note
from agents.planner.planning.delegation import works_here
from agents.planner.planning.judgement import judgement_notes
from agents.planner.planning.lora_syntax import missing_triggers, triggers
from agents.planner.planning.model_choice import (
    choose_runnable_model,
    is_called,
    missing_names,
    split_models_and_loras,
    wanted_model,
)
from agents.planner.planning.pricing import LOCAL_PROVIDER, price_of
from agents.planner.planning.prompt_catalogue import CatalogueSelection
from agents.planner.planning.prompt_notes import prompt_notes
from agents.planner.planning.quality_steps import steps_of
from agents.planner.planning.reference_images import ReferenceSupport
from agents.planner.planning.sampler_names import sampler_of
from agents.planner.planning.source_images import NO_SOURCE_IMAGES, SourceImages
from agents.planner.planning.sweep import single_value_trials, sweep_shares
from agents.shared.device_time import relative_device_time, steps_run
from protocol.commands import GenerateImages
from protocol.errors import BadCommand, ErrorBody, Refused, Unavailable
from protocol.nearest import nearest
from protocol.offers import ModelInfo
from protocol.parameters import EngineKind
from protocol.pixels import PixelSettings
from protocol.plans import Stage
from protocol.post import PostStep
from protocol.prompt_syntax import WEIGHTS

MAX_USEFUL_STEPS = 30
"""Denoising steps beyond which pictures hardly get better."""

MAX_USEFUL_GUIDANCE = 9.0
"""Guidance scale beyond which colours are oversaturated and posterised."""


class Recipe(Struct, frozen=True, kw_only=True):
    """Everything about a batch's pictures that does not change from one to the next. Sizes are pixels.

    `models` were asked for, while that of `pixels` runs; `stand_in_for` is the platform that it stands in for, or null.
    `catalogue` is what the batch runs through, `triggers` are the words that activate the LoRAs. `price_micros` is
    expected of an attempt, `highest_micros` held for it; null where nobody knows. `sizes` and `samplers` are what the
    swept values mean, `posts` the steps after generation of pictures of a swept size; `following` is how the reference
    pictures of combos are followed. `engine` says whether model calls are shared; `stages` are what a picture goes
    through.
    """

    pixels: PixelSettings
    platform: str
    provider: str
    models: list[str]
    triggers: list[str] = []
    native_width: int
    native_height: int
    negative_supported: bool
    style: str
    style_reference: str | None
    stand_in_for: str | None
    min_score: float
    max_attempts: int
    price_micros: int | None
    seconds_per_image: float | None
    highest_micros: int | None = None
    not_honoured: list[str]
    warnings: list[str]
    catalogue: CatalogueSelection | None = None
    sizes: dict[str, tuple[int, int]] = {}
    samplers: dict[str, str] = {}
    following: ReferenceSupport = ReferenceSupport()
    engine: EngineKind | None = None
    posts: dict[str, list[PostStep]] = {}
    stages: list[Stage] = []

    def with_pixels(self, **changes: Any) -> "Recipe":
        """The recipe with other values of what decides the pixels."""
        return replace(self, pixels=replace(self.pixels, **changes))


@dataclass(frozen=True)
class Defaults:
    """Settings that decide where a command is silent. `price_per_hour` of the device is dollars, `max_seconds` what is
    held for an attempt before one was measured. A plan that is estimated above `hold_over` dollars is held. Without an
    `open_door` a client must be made known before its first command; null leaves it open until the first one is."""

    stand_in: str | None
    min_score: float
    max_attempts: int
    hold_over: float | None = None
    price_per_hour: float | None = None
    max_seconds: float = 120.0
    open_door: bool | None = None


def resolve(
    command: GenerateImages,
    workshop: Capabilities,
    defaults: Defaults,
    shelf: CatalogueSelection | None = None,
    given: SourceImages = NO_SOURCE_IMAGES,
) -> Recipe:
    """The recipe of a command, of the catalogue that it names and of the pictures it brings. Each value of a sweep is
    tried in its place.

    Raises:
        BadCommand: a value that no workshop understands.
        Refused: something that this workshop lacks, with what to do.
        Unavailable: no generator is alive.
    """
    workshop = style_settings.without_swept(command, workshop)
    texts = shelf.texts if shelf else []
    recipe = _resolve_unvaried(command, workshop, defaults, given, texts)
    notes = dict.fromkeys(recipe.not_honoured), dict.fromkeys(recipe.warnings)
    sizes_of: dict[str, tuple[int, int]] = {}
    samplers_of: dict[str, str] = {}
    posts_of: dict[str, list[PostStep]] = {}
    costs: dict[str, list[float]] = {}
    for path, name, value, changed in single_value_trials(command):
        try:
            one = _resolve_unvaried(changed, workshop, defaults, given, texts)
        except (BadCommand, Refused) as error:
            raise type(error)(error.code, error.body.message, path=path, hint=error.body.hint) from error
        if recipe.seconds_per_image and one.seconds_per_image:
            costs.setdefault(name, []).append(one.seconds_per_image)
        for known, new in zip(notes, (one.not_honoured, one.warnings), strict=True):
            known.update(dict.fromkeys(new))
        if name == "resolution" and isinstance(value, str):
            sizes_of[value] = (one.pixels.width, one.pixels.height)
            posts_of[value] = one.pixels.post
        if name == "sampler" and isinstance(value, str):
            samplers_of[value] = one.pixels.sampler
    not_honoured, warnings = map(list, notes)
    if shelf is not None:
        warnings += shelf.warnings
        not_honoured += reference_images.unfollowed_notes(
            shelf, recipe.pixels.model, recipe.following, len(recipe.pixels.image_prompts)
        )
    mean, largest = sweep_shares(recipe.seconds_per_image or 1.0, costs.values())
    return replace(
        recipe,
        seconds_per_image=recipe.seconds_per_image and recipe.seconds_per_image * mean,
        price_micros=_scale_price(recipe, recipe.price_micros, mean),
        highest_micros=_scale_price(recipe, recipe.highest_micros, largest),
        not_honoured=not_honoured,
        warnings=warnings,
        catalogue=shelf and replace(shelf, texts=[]),
        sizes=sizes_of,
        samplers=samplers_of,
        posts=posts_of,
    )


def _resolve_unvaried(
    command: GenerateImages, workshop: Capabilities, defaults: Defaults, given: SourceImages, texts: Sequence[Note]
) -> Recipe:
    """The recipe without regard to what varies; `texts` are the prompts of a catalogue."""
    wish = _size_wish(command, given)
    if workshop.generators == 0:
        raise Unavailable(
            "no_generator",
            "no generator is running",
            hint="start one with `bottega agent generator`, or `bottega up`",
        )
    style, reference = _check_style(command, workshop)
    checkpoints, loras = split_models_and_loras(command, workshop)
    wanted = wanted_model(command.platform, checkpoints, loras, workshop)
    model, stand_in_for = choose_runnable_model(wanted, loras, workshop, defaults.stand_in)
    styled = style_settings.apply_style(style, command, loras, model, workshop, sized=wish is not None)
    command, loras, warnings = styled.command, styled.loras, styled.notes
    wish = _size_wish(command, given)
    not_honoured: list[str] = []
    if stand_in_for:
        missing = ", ".join(missing_names(wanted, loras, workshop))
        not_honoured.append(f"models: {missing} not installed; {model.name} stands in for {stand_in_for}")
        if loras:
            not_honoured.append(f"loras: {', '.join(lora.name for lora in loras)} left out with the stand-in")
    (width, height), lost = sizes.fit(
        sizes.SizeWish(aspect=wish.aspect) if wish and stand_in_for else wish, _size_limits(model)
    )
    if stand_in_for and wish and (wish.width, wish.height) != (width, height):
        lost = f"resolution: made at {width}x{height}, the native size of {model.name} nearest in aspect"
    if lost:
        not_honoured.append(lost)
    led = given.leading_image is not None
    note = sizes.off_native_note((width, height), _size_limits(model), model.name, led=led)
    if note and model.provider == LOCAL_PROVIDER:
        warnings.append(note)
    if command.negative_prompt and not model.negative_prompt:
        not_honoured.append(f"negative_prompt: {model.name} does not use one")
    steps = steps_of(command.steps if command.steps is not None else model.steps, command.render_quality)
    guidance = command.guidance if command.guidance is not None else model.guidance
    regions.check_regions(command.regions, model, workshop.models.values())
    init_image, notes = pictures.init_image_of(command, given, model, workshop.models.values(), (width, height), steps)
    warnings.extend([*notes, *given.animation_notes])
    running = [] if stand_in_for else loras
    motion, notes = animation.plan_motion(command, running, model, workshop.motions, (width, height))
    warnings.extend(notes)
    following = reference_images.reference_support(model, workshop.ip_adapters)
    base = post_processing.BaseGeneration(
        model=model,
        size=(width, height),
        steps=steps,
        loras=loras,
        guidance=guidance,
        seconds=_denoising_seconds(
            command, model, (width, height), steps_run(steps, init_image.strength if init_image else 1)
        ),
        regions=len(command.regions),
        stand_in=stand_in_for is not None,
    )
    after = post_processing.plan_stages(command.post, given, base, workshop)
    warnings.extend(after.notes)
    not_honoured.extend(after.not_honoured)
    timed = replace(model, seconds_per_image=after.seconds)
    price = price_of(timed, defaults.price_per_hour, defaults.max_seconds)
    ignored, notes = prompt_notes(command, model, texts)
    not_honoured.extend(ignored)
    warnings.extend(notes)
    woken_by = [] if stand_in_for else triggers(loras, workshop.loras)
    warnings.extend(
        [
            *judgement_notes(command, model.name, workshop.scorers, woken_by, [text for _, text in texts]),
            *_parameter_warnings(command, model, steps, guidance),
            *missing_triggers(command.prompts, woken_by),
        ]
    )
    attempts = command.max_attempts or defaults.max_attempts
    unmeasured = consistency.unmeasured_notes(command, model.name, workshop.scorers)
    not_honoured.extend(unmeasured)
    warnings.extend([] if unmeasured else consistency.enforcement_warnings(command, attempts))
    return Recipe(
        pixels=PixelSettings(
            width=width,
            height=height,
            steps=steps,
            guidance=guidance,
            sampler=sampler_of(command, model, workshop),
            model=model.name,
            loras=running,
            init_image=init_image,
            controls=pictures.control_images(command.controls, given, model, workshop.controls),
            image_prompts=reference_images.image_prompts(
                command.references, given.references, model, following, workshop.ip_adapters
            ),
            regions=command.regions,
            post=after.steps,
            motion=motion,
            strict=command.determinism == "strict",
            prompt_syntax=None if model.prompts is None else WEIGHTS,
        ),
        platform=model.platform,
        provider=model.provider,
        models=command.models or [wanted.name],
        triggers=woken_by,
        native_width=model.native_sizes[0][0],
        native_height=model.native_sizes[0][1],
        negative_supported=model.negative_prompt,
        style=style,
        style_reference=reference,
        stand_in_for=stand_in_for,
        min_score=command.quality.min_score if command.quality.min_score is not None else defaults.min_score,
        max_attempts=attempts,
        price_micros=price.expected,
        highest_micros=price.highest,
        seconds_per_image=after.seconds,
        not_honoured=not_honoured,
        warnings=warnings,
        following=following,
        engine="pipeline" if motion else model.engine,
        stages=after.stages,
    )


def _scale_price(recipe: Recipe, micros: int | None, share: float) -> int | None:
    """A share of a price; providers name one for every picture alike."""
    return micros if micros is None or recipe.provider != LOCAL_PROVIDER else ceil(micros * share)


def _denoising_seconds(command: GenerateImages, model: ModelInfo, size: tuple[int, int], steps: int) -> float | None:
    """Seconds until a picture is denoised, null before any was measured; `steps` are those that are run."""
    if model.seconds_per_image is None:
        return None
    return model.seconds_per_image * relative_device_time(
        model,
        size,
        steps,
        command.guidance if command.guidance is not None else model.guidance,
        prompts=1 + len(command.regions),
        controls=len(command.controls),
        frames=command.animation.frames if command.animation else 1,
    )


def alternatives(
    error: ErrorBody, workshop: Capabilities, defaults: Defaults, platform: str | None = None
) -> list[str]:
    """What would work now, for a plan that was refused because its model or an adapter of it is not installed; not the
    `platform` that was asked for. Of tools, ControlNets and LoRAs that are not known another model has no more. Of work
    of another kind: what this workshop can do of it."""
    if error.code == "delegate":
        return works_here(error.delegate_to)
    if error.code != "not_installed" or not (error.path or "").startswith(("$.models", "$.platform")):
        return []
    others = (model for model in workshop.models.values() if platform is None or not is_called(model, platform))
    installed = sorted({model.platform for model in others if model.installed})
    found = [f'"platform": "{platform}"' for platform in installed]
    if defaults.stand_in is None and "pocket" in installed:
        found.append("let the pocket model stand in: bottega up --stand-in pocket")
    return found


def _check_style(command: GenerateImages, workshop: Capabilities) -> tuple[str, str | None]:
    style = command.style or "plain"
    reference = command.requirements.style_reference
    if workshop.prompt_writers:
        if style not in workshop.styles:
            raise Refused(
                "unknown_style",
                f"the style {style!r} is not known",
                path="$.style",
                hint=nearest(style, workshop.styles),
            )
        if reference and reference not in workshop.style_references:
            raise Refused(
                "unknown_style",
                f"the style reference {reference!r} is not known",
                path="$.requirements.style_reference",
                hint=nearest(reference, workshop.style_references),
            )
    return style, reference


def _parameter_warnings(command: GenerateImages, model: ModelInfo, steps: int, guidance: float) -> list[str]:
    found: list[str] = []
    low, high = model.guidance_range
    if not low <= guidance <= high:
        found.append(f"guidance {guidance:g} is outside {low:g} to {high:g}, the range of {model.name}")
    elif guidance > MAX_USEFUL_GUIDANCE and command.guidance is not None:
        found.append(f"guidance above {MAX_USEFUL_GUIDANCE:g} makes colours scream and posterise")
    if steps > MAX_USEFUL_STEPS and command.steps is not None:
        found.append(f"over {MAX_USEFUL_STEPS} steps, pictures hardly get better")
    if command.quality.consistency is not None and command.requirements.quantity == 1:
        found.append("consistency needs at least two pictures")
    return found


def _size_wish(command: GenerateImages, given: SourceImages) -> sizes.SizeWish | None:
    """The size that the command names, else that of the picture that leads."""
    if command.requirements.resolution:
        return sizes.parse(command.requirements.resolution)
    if (shape := given.leading_image) is None:
        return None
    return sizes.parse(f"{shape.width}x{shape.height}")


def _size_limits(model: ModelInfo) -> sizes.Limits:
    return sizes.Limits(tuple(model.native_sizes), model.max_pixels, model.multiple_of)
