"""Steps after generation: whether the workshop can do them, what a plan settles in them, and the stages of a picture.
Pure module."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from msgspec.structs import replace

from agents.planner.planning.capabilities import Capabilities
from agents.planner.planning.lora_syntax import triggers
from agents.planner.planning.source_images import SourceImages, capable_platforms_hint
from agents.shared.device_time import relative_device_time
from agents.shared.picture import MAX_PIXELS, MAX_SIDE
from protocol.commands import Lora
from protocol.errors import BadCommand, Refused
from protocol.nearest import nearest
from protocol.offers import ModelInfo, ToolInfo
from protocol.parameters import ImageSource
from protocol.plans import Size, Stage
from protocol.post import (
    LANCZOS,
    LANCZOS_SCALE,
    CorrectColour,
    PostStep,
    Refine,
    RemoveArtefacts,
    RestoreFaces,
    Upscale,
)

MAX_FINISHED_PIXELS = 4096 * 4096
"""Pixels of a finished picture: a PNG file of noise of that size is one that can be judged."""

MAX_TILES = 400
"""Drawings of one refinement: 4096 x 4096 pixels in tiles of 256."""

MAX_TEXT_CHARACTERS = 4000
"""Characters of a text."""


@dataclass(frozen=True)
class BaseGeneration:
    """What is denoised before any step of `post`: its (width, height) in pixels, denoising steps, adapters, guidance,
    and the seconds it takes, null before they are known. `regions` is how many parts have prompts of their own.
    `stand_in` says that adapters are left out because another model stands in."""

    model: ModelInfo
    size: tuple[int, int]
    steps: int
    loras: Sequence[Lora]
    guidance: float
    seconds: float | None = None
    regions: int = 0
    stand_in: bool = False


@dataclass(frozen=True)
class PostPlan:
    """The steps with everything settled, and the stages of a picture, its generation included; none where nothing
    follows it. `seconds` is the time of all stages, null until each was measured. `notes` and `not_honoured` are for
    the client."""

    steps: list[PostStep]
    stages: list[Stage]
    seconds: float | None
    notes: Sequence[str] = ()
    not_honoured: Sequence[str] = ()


def plan_stages(
    wanted: Sequence[PostStep], given: SourceImages, base: BaseGeneration, workshop: Capabilities
) -> PostPlan:
    """What follows the generation of a picture.

    Raises:
        BadCommand: a value that no workshop could do.
        Refused: a tool or an adapter that is not here, or a size beyond what the tool or the model can make.
    """
    model = base.model
    if not wanted:
        return PostPlan([], [], base.seconds)
    if model.provider != "local":
        raise Refused(
            "not_supported",
            f"pictures of {model.provider} are filed as they come",
            path="$.post",
            hint="leave post out, or ask for a model of this workshop",
        )
    size = base.size
    settled: list[PostStep] = []
    notes: list[str] = []
    not_honoured: list[str] = []
    stages = [_stage("generate", model.name, size, model, base.steps, base.seconds)]
    for position, step in enumerate(wanted):
        path = f"$.post[{position}]"
        match step:
            case Upscale():
                one, stage = _plan_upscale(step, size, workshop.tools, path)
            case Refine():
                one, stage = _plan_refine(step, size, base, workshop, path)
                if base.stand_in and step.loras:
                    names = ", ".join(lora.name for lora in step.loras)
                    not_honoured.append(f"post[{position}].loras: {names} left out with the stand-in")
                if one.tile is not None:
                    tiles = f"{_count_tiles(size, one.tile)} tiles of {one.tile} pixels"
                    notes.append(f"post[{position}]: refined in {tiles}, each by the whole prompt: low strengths suit")
            case CorrectColour():
                found = given.colour_targets.get(position)
                one = replace(step, towards=ImageSource(blob=found.blob)) if found else step
                stage = _stage("colour_correct", None, size)
            case RemoveArtefacts():
                tool = _find_tool(step.model, "upscaler", workshop.tools, path)
                if tool.scale != 1:
                    raise _unfit_refusal(
                        f"{tool.name} makes pictures {tool.scale} times larger", path, '"op": "upscale"'
                    )
                one, stage = step, _stage("artefact_removal", tool.name, size, seconds=_tool_seconds(tool, size))
            case RestoreFaces():
                tool = _find_tool(step.model, "face_restorer", workshop.tools, path)
                _check_faces(step, path)
                one, stage = step, _stage("face_restore", tool.name, size, seconds=_tool_seconds(tool, size))
        size = (stage.size.width, stage.size.height)
        settled.append(one)
        stages.append(stage)
    # Matching colours takes a few hundredths of a second and is left out of what is estimated.
    counted = [stage.seconds for stage in stages if stage.op != "colour_correct"]
    known = [seconds for seconds in counted if seconds is not None]
    return PostPlan(settled, stages, sum(known) if len(known) == len(counted) else None, notes, not_honoured)


def _plan_upscale(
    step: Upscale, size: tuple[int, int], tools: Mapping[str, ToolInfo], path: str
) -> tuple[Upscale, Stage]:
    tool = _find_tool(step.model, "upscaler", tools, path)
    if tool.scale == 1:
        raise _unfit_refusal(f"{tool.name} keeps the size of pictures", path, '"op": "artefact_removal"')
    scale = step.scale or (LANCZOS_SCALE if tool.name == LANCZOS else float(tool.scale))
    if scale > tool.scale:
        raise BadCommand(
            "invalid_value",
            f"{tool.name} makes pictures at most {tool.scale} times larger",
            path=f"{path}.scale",
            hint=f"{tool.scale}, or a second step after it",
        )
    after = round(size[0] * scale), round(size[1] * scale)
    between = 1 if tool.name == LANCZOS else tool.scale
    if (
        after[0] * after[1] > MAX_FINISHED_PIXELS
        or size[0] * size[1] * between**2 > MAX_PIXELS
        or max(after) > MAX_SIDE
    ):
        raise Refused(
            "too_large",
            f"{size[0]}x{size[1]} enlarged {max(scale, between):g} times is over what a picture may be",
            path=path,
            hint=f"at most {MAX_FINISHED_PIXELS} pixels after a step; "
            "enlarge a smaller picture, or by a smaller network",
        )
    seconds = _tool_seconds(tool, after)
    return replace(step, scale=scale), _stage("upscale", tool.name, after, seconds=seconds)


def _plan_refine(
    step: Refine, size: tuple[int, int], base: BaseGeneration, workshop: Capabilities, path: str
) -> tuple[Refine, Stage]:
    model = base.model
    if "picture" not in model.starts:
        hint = capable_platforms_hint("picture", workshop.models.values())
        raise Refused("not_supported", f"{model.name} starts from no picture", path=path, hint=hint)
    steps = step.steps or base.steps
    run = int(steps * step.strength)
    if run < 1:
        raise BadCommand(
            "invalid_value",
            f"strength {step.strength:g} of {steps} steps leaves none",
            path=f"{path}.strength",
            hint=f"at least {1 / steps:.2g}, or more steps",
        )
    tile = _tile_side(step, size, model, path)
    if (tiles := _count_tiles(size, tile)) > MAX_TILES:
        raise Refused(
            "too_large",
            f"refining {size[0]}x{size[1]} in tiles of {tile} pixels takes {tiles} drawings",
            path=f"{path}.tile",
            hint=f"at most {MAX_TILES}: name a larger tile, or refine before enlarging",
        )
    loras, suffix = step.loras, step.prompt_suffix
    if loras is not None:
        loras = [] if base.stand_in else loras
        _check_loras(loras, model, workshop, path)
        mine = {one.name for one in base.loras}
        woken_by = triggers([one for one in loras if one.name not in mine], workshop.loras)
        suffix = ", ".join([*([suffix] if suffix else []), *woken_by]) or None
        if suffix and len(suffix) > MAX_TEXT_CHARACTERS:
            raise BadCommand(
                "invalid_value",
                f"with the words that wake its LoRAs the suffix is over {MAX_TEXT_CHARACTERS} characters",
                path=f"{path}.prompt_suffix",
                hint="make it shorter",
            )
    seconds = None
    if model.seconds_per_image is not None:
        at_once = size if tile is None else (min(tile, size[0]), min(tile, size[1]))
        times = _count_tiles(size, tile)
        guidance = base.guidance if step.guidance is None else step.guidance
        prompts = 1 + (base.regions if tile is None else 0)
        seconds = model.seconds_per_image * relative_device_time(model, at_once, run, guidance, prompts=prompts) * times
    stage = _stage("refine", model.name, size, model, run, seconds)
    return replace(step, loras=loras, prompt_suffix=suffix, tile=tile), stage


def _count_tiles(size: tuple[int, int], tile: int | None) -> int:
    """How many tiles cover a picture, each of which shares an eighth of its side with the next."""
    if tile is None:
        return 1
    across, down = (1 + ceil(max(0, side - tile) / (tile - tile // 8)) for side in size)
    return across * down


def _tile_side(step: Refine, size: tuple[int, int], model: ModelInfo, path: str) -> int | None:
    """The side of the tiles; null where the picture is refined as a whole."""
    fits = size[0] * size[1] <= model.max_pixels and not any(side % model.multiple_of for side in size)
    if step.tile is None and fits:
        return None
    tile = step.tile or min(model.native_sizes[0])
    if tile % model.multiple_of or tile**2 > model.max_pixels:
        raise BadCommand(
            "invalid_value",
            f"tiles of {tile} pixels do not suit {model.name}",
            path=f"{path}.tile",
            hint=f"a multiple of {model.multiple_of}, such as {min(model.native_sizes[0])}",
        )
    if any(side < tile and side % model.multiple_of for side in size):
        raise Refused(
            "invalid_value",
            f"{model.name} cannot refine {size[0]}x{size[1]}",
            path=path,
            hint=f"sides that are multiples of {model.multiple_of}, or over {tile}: choose another scale before it",
        )
    return tile


def _check_loras(loras: Sequence[Lora], model: ModelInfo, workshop: Capabilities, path: str) -> None:
    for position, lora in enumerate(loras):
        known = workshop.loras.get(lora.name)
        where = f"{path}.loras[{position}].name"
        if known is None:
            hint = nearest(lora.name, workshop.loras)
            raise Refused("not_installed", f"the LoRA {lora.name!r} is not known here", path=where, hint=hint)
        if known.platform not in ("", "any", model.platform):
            raise BadCommand(
                "invalid_value",
                f"the LoRA {lora.name} was made for {known.platform}, not for {model.platform}",
                path=where,
                hint=f"one for {model.platform}",
            )
        if not known.installed:
            raise Refused("not_installed", f"not installed: {lora.name}", path=where, hint=known.install)


def _check_faces(step: RestoreFaces, path: str) -> None:
    for position, (left, top, width, height) in enumerate(step.faces):
        if not (width > 0 and height > 0 and left + width <= 1 and top + height <= 1):
            raise BadCommand(
                "invalid_value",
                "the face is not inside of the picture",
                path=f"{path}.faces[{position}]",
                hint="left, top, width and height as parts of the picture, such as [0.4, 0.1, 0.2, 0.25]",
            )


def _find_tool(name: str, kind: str, tools: Mapping[str, ToolInfo], path: str) -> ToolInfo:
    """The tool of a name, which is here."""
    tool = tools.get(name)
    if tool is None or tool.kind != kind:
        known = [one.name for one in tools.values() if one.kind == kind]
        what = kind.replace("_", " ")
        raise Refused(
            "not_installed",
            f"{name!r} is no {what} that is known here",
            path=f"{path}.model",
            hint=f"{nearest(name, known)}; another is added by: bottega models add FILE.safetensors",
        )
    if not tool.installed:
        raise Refused("not_installed", f"{name} cannot be used here", path=f"{path}.model", hint=tool.install)
    return tool


def _unfit_refusal(message: str, path: str, hint: str) -> Refused:
    return Refused("not_supported", message, path=f"{path}.model", hint=hint)


def _tool_seconds(tool: ToolInfo, size: tuple[int, int]) -> float | None:
    return None if tool.seconds_per_megapixel is None else tool.seconds_per_megapixel * size[0] * size[1] / 1e6


def _stage(
    op: str,
    name: str | None,
    size: tuple[int, int],
    model: ModelInfo | None = None,
    steps: int | None = None,
    seconds: float | None = None,
) -> Stage:
    """A stage; what no model denoises runs by itself in the device's thread."""
    rounded = None if seconds is None else round(seconds, 3)
    return Stage(
        op=op,
        model=name,
        size=Size(width=size[0], height=size[1]),
        engine=model.engine if model else "pipeline",
        steps=steps,
        seconds=rounded,
    )
