"""What distinguishes one picture of a batch from the next: swept values, prompt and combo of a catalogue, number. Pure
module.

Nothing is expanded: each picture follows from its index. From the outside in, the index runs over combos, prompts,
combinations of the sweep, and the quantity.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from agents.planner.planning import sizes
from agents.planner.planning.attempts import seed_of
from agents.planner.planning.recipe import Recipe
from agents.planner.planning.sweep import combination, count_combinations, with_lora_weight
from protocol.catalogue import Catalogued
from protocol.commands import GenerateImages
from protocol.errors import BadCommand
from protocol.messages import Job, PromptWish
from protocol.parameters import MAX_QUANTITY, Lora, Scalar
from protocol.post import size_after
from protocol.sweep import LORA
from protocol.template import CATALOGUE_TEMPLATE

MAX_WISHES_BYTES = 512 * 1024
"""Wishes of one request for prompts: half of the largest message."""

_WISH_FIELDS = ("brief", "prompt", "negative_prompt", "style", "style_reference")


@dataclass(frozen=True)
class Variation:
    """One picture. `number` counts the pictures that no swept value distinguishes; seeds and words follow from it, so
    that each combination of a sweep is tried with the same ones. `entry` and `combo` are positions in the catalogue."""

    number: int
    swept: dict[str, Scalar]
    entry_index: int | None = None
    combo_index: int | None = None


def count_pictures(command: GenerateImages, recipe: Recipe) -> int:
    """How many pictures a command asks for: combos x prompts x combinations x quantity.

    Raises:
        BadCommand: more than a batch may have.
    """
    count = _count_pairs(recipe) * count_combinations(command.sweep) * command.requirements.quantity
    if count > MAX_QUANTITY:
        raise BadCommand(
            "invalid_value",
            f"{count} pictures are more than the {MAX_QUANTITY} of one batch",
            path="$.requirements.quantity",
            hint="lower the quantity, or sweep over less",
        )
    return count


def variation(command: GenerateImages, recipe: Recipe, index: int) -> Variation:
    """Picture `index` of a batch. After the last combination they begin anew with further numbers, so that a batch may
    be given a larger quantity."""
    if command.sweep is None and recipe.catalogue is None:
        return Variation(index, {})
    repeats, tried, pairs = command.requirements.quantity, count_combinations(command.sweep), _count_pairs(recipe)
    rest, repeat = divmod(index, repeats)
    rest, chosen = divmod(rest, tried)
    round_, pair = divmod(rest, pairs)
    swept = combination(command.sweep, chosen)
    number = (round_ * pairs + pair) * repeats + repeat
    if recipe.catalogue is None:
        return Variation(number, swept)
    combo, entry = divmod(pair, len(recipe.catalogue.entries))
    return Variation(number, swept, entry, combo if recipe.catalogue.combos else None)


def prompt_wish(varied: Variation) -> PromptWish:
    """What is asked of the prompt of a picture."""
    texts = {name: value for name, value in varied.swept.items() if name in _WISH_FIELDS and isinstance(value, str)}
    return PromptWish(number=varied.number, entry=varied.entry_index, combo=varied.combo_index, **texts)


def prompt_wishes(command: GenerateImages, recipe: Recipe, first: int, count: int) -> list[PromptWish]:
    """One wish per prompt of a page, at least one and as many as fit a message; none where prompts follow from their
    index."""
    if command.sweep is None and recipe.catalogue is None:
        return []
    page: list[PromptWish] = []
    size = 0
    for index in range(first, first + count):
        one = prompt_wish(variation(command, recipe, index))
        size += sum(len(getattr(one, name) or "") * 4 for name in _WISH_FIELDS)
        if page and size > MAX_WISHES_BYTES:
            break
        page.append(one)
    return page


def vary(job: Job, command: GenerateImages, recipe: Recipe, seed: int) -> Job:
    """The job with what tells its picture from the others of its batch; `seed` is the batch's."""
    if command.sweep is None and recipe.catalogue is None:
        named = name_template(command)
        return job if named is None else replace(job, name_template=named)
    varied = variation(command, recipe, job.index)
    swept = {name: value for name, value in varied.swept.items() if value is not None}
    pixels, resolution = job.pixels, str(swept.get("resolution"))
    width, height = recipe.sizes.get(resolution, (pixels.width, pixels.height))
    changes: dict[str, Any] = {name: swept[name] for name in ("steps", "guidance") if name in swept}
    if "sampler" in swept:
        changes["sampler"] = recipe.samplers[str(swept["sampler"])]
    return replace(
        job,
        pixels=replace(
            pixels,
            seed=seed_of(int(swept.get("seed", seed)), varied.number, job.attempt),  # pyright: ignore[reportArgumentType]
            width=width,
            height=height,
            post=recipe.posts.get(resolution, pixels.post),
            loras=_swept_loras(pixels.loras, swept),
            **changes,
        ),
        style=str(swept["style"]) if "style" in swept else job.style,
        swept=varied.swept,
        catalogued=catalogue_position(command, recipe, varied),
        name_template=name_template(command),
    )


def catalogue_position(command: GenerateImages, recipe: Recipe, varied: Variation) -> Catalogued | None:
    """The place of a picture in the catalogue; null where there is none."""
    shelf = recipe.catalogue
    if shelf is None or varied.entry_index is None:
        return None
    catalogue, prompt_id = shelf.entries[varied.entry_index]
    wardrobe, ui_style, combo = (
        shelf.combos[varied.combo_index] if varied.combo_index is not None else (None, None, None)
    )
    resolution = str(varied.swept.get("resolution") or command.requirements.resolution or "")
    width, height = recipe.sizes.get(resolution, (recipe.pixels.width, recipe.pixels.height))
    size = size_after(recipe.posts.get(resolution, recipe.pixels.post), width, height)
    return Catalogued(
        catalogue=catalogue,
        prompt_id=prompt_id,
        quality=sizes.true_name(resolution, size),
        wardrobe=wardrobe,
        ui_style=ui_style,
        combo=combo,
    )


def name_template(command: GenerateImages) -> str | None:
    """How the files of a batch are named; null where the workshop's own template does."""
    asked = command.export.name_template if command.export else None
    if command.catalogue is None:
        return asked
    return command.catalogue.output_template or asked or CATALOGUE_TEMPLATE


def _swept_loras(loras: list[Lora], swept: Mapping[str, Scalar]) -> list[Lora]:
    """The adapters with the weights of a combination."""
    for name, weight in swept.items():
        if name.startswith(LORA):
            loras = with_lora_weight(loras, name, weight)
    return loras


def _count_pairs(recipe: Recipe) -> int:
    """Prompts times combos; 1 without a catalogue."""
    shelf = recipe.catalogue
    return len(shelf.entries) * max(1, len(shelf.combos)) if shelf else 1
