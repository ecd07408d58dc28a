"""Pictures that a command brings: whether the model can work from them, and how. Pure module."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.shared.edges import canny
from agents.shared.picture import Rgb
from protocol.commands import GenerateImages
from protocol.errors import BadCommand, Refused
from protocol.offers import ControlInfo, ModelInfo
from protocol.parameters import ControlNet, Placement
from protocol.sources import ControlImage, InitImage

DEFAULT_STRENGTH = 0.6
"""Of a whole picture, where the command says none: enough to change colours, little enough to keep shapes."""

MIN_EDGE_SHARE = 0.002
"""Part of a picture's pixels below which edges lead nothing: half the outline of a thing of a twelfth of its width."""

EDGE_SEARCH_SIDE = 512
"""Pixels of the longer side of what is searched for edges."""


@dataclass(frozen=True)
class LoadedImage:
    """A picture in the blob store. Sizes are pixels; `frames` are those of an animation, of which the first is used."""

    blob: str
    width: int
    height: int
    frames: int = 1


@dataclass(frozen=True)
class SourceImages:
    """The pictures of a command. `controls` and `references` are in its order, `colour_targets` by the position of
    their step in `post`."""

    init: LoadedImage | None = None
    mask: LoadedImage | None = None
    controls: tuple[LoadedImage, ...] = ()
    references: tuple[LoadedImage, ...] = ()
    colour_targets: Mapping[int, LoadedImage] = field(default_factory=dict[int, LoadedImage])

    @property
    def leading_image(self) -> LoadedImage | None:
        """The picture whose size the made one has where the command names none."""
        return self.init or next(iter(self.controls), None)

    @property
    def animation_notes(self) -> list[str]:
        """That of an animation one frame is used, for each picture that is one."""
        given = {
            "init_image": self.init,
            "mask": self.mask,
            **{f"controls[{position}].image": one for position, one in enumerate(self.controls)},
            **{f"references[{position}].image": one for position, one in enumerate(self.references)},
            **{f"post[{position}].towards": one for position, one in self.colour_targets.items()},
        }
        return [
            f"{path}: the first of {one.frames} frames is used"
            for path, one in given.items()
            if one is not None and one.frames > 1
        ]


NO_SOURCE_IMAGES = SourceImages()


def init_image_of(
    command: GenerateImages,
    given: SourceImages,
    model: ModelInfo,
    models: Iterable[ModelInfo],
    size: tuple[int, int],
    steps: int,
) -> tuple[InitImage | None, list[str]]:
    """What denoising starts from, and what is to be said of it; `size` is that of the picture, (width, height).

    Raises:
        BadCommand: fields that do not go together, sizes that do not fit, or a strength that leaves no step.
        Refused: the model starts from no picture, or leaves no part of one as it is.
    """
    if given.init is None:
        for name in ("mask", "strength", "placement"):
            if getattr(command, name) is not None:
                raise BadCommand(
                    "missing_field", f"{name} is about an initial picture", path=f"$.{name}", hint="give init_image"
                )
        return None, []
    partly = command.mask is not None or command.placement is not None
    if command.mask is not None and command.placement is not None:
        raise BadCommand(
            "invalid_value",
            "a picture is painted anew in a mask or around a placement, not both",
            path="$.placement",
            hint="leave mask or placement out",
        )
    needed = "mask" if partly else "picture"
    if needed not in model.starts:
        path = "$.init_image" if "picture" not in model.starts else "$.mask" if command.mask else "$.placement"
        what = "keeps no part of a picture" if partly else "starts from no picture"
        raise Refused("not_supported", f"{model.name} {what}", path=path, hint=capable_platforms_hint(needed, models))
    if given.mask is not None and (given.mask.width, given.mask.height) != (given.init.width, given.init.height):
        raise BadCommand(
            "invalid_value",
            f"the mask is {_size_text(given.mask)}, the initial picture {_size_text(given.init)}",
            path="$.mask",
            hint="make the mask as large as the picture",
        )
    strength = command.strength if command.strength is not None else 1.0 if partly else DEFAULT_STRENGTH
    run = int(steps * strength)
    if run < 1:
        raise BadCommand(
            "invalid_value",
            f"strength {strength:g} of {steps} steps leaves none",
            path="$.strength" if command.strength is not None else "$.steps",
            hint=f"at least {1 / steps:.2g}, or more steps",
        )
    notes = [] if run == steps else [f"strength {strength:g}: the last {run} of {steps} steps are run"]
    box = None
    if command.placement is not None:
        if command.sweep is not None and "resolution" in command.sweep.values:
            raise BadCommand(
                "invalid_value",
                "a placed picture has one place, and a sweep of sizes many",
                path="$.sweep.values.resolution",
                hint="send a command for each size",
            )
        box = _placement_box(command.placement, given.init, size)
    elif (given.init.width, given.init.height) != size:
        notes.append(f"init_image: {_size_text(given.init)} is scaled, and cropped where the aspect differs")
    mask = given.mask.blob if given.mask else None
    return InitImage(blob=given.init.blob, strength=strength, mask=mask, box=box), notes


def control_images(
    wanted: Sequence[ControlNet], given: SourceImages, model: ModelInfo, known: Iterable[ControlInfo]
) -> list[ControlImage]:
    """Whose structure is followed, and through which ControlNets.

    Raises:
        BadCommand: an end before the start.
        Refused: no ControlNet of that kind is here for the model, or nothing that makes the map it needs.
    """
    mine = [control for control in known if control.platform == model.platform]
    return [
        _control_image(one, picture, model, mine, f"$.controls[{position}]")
        for position, (one, picture) in enumerate(zip(wanted, given.controls, strict=True))
    ]


def _control_image(
    wanted: ControlNet, picture: LoadedImage, model: ModelInfo, mine: Sequence[ControlInfo], path: str
) -> ControlImage:
    if wanted.start >= wanted.end:
        raise BadCommand(
            "invalid_value",
            f"end {wanted.end:g} is not after start {wanted.start:g}",
            path=f"{path}.end",
            hint="parts of the steps, such as 0 and 0.8",
        )
    of_kind = sorted((one for one in mine if one.kind == wanted.kind), key=lambda one: (not one.installed, one.name))
    installed = sorted({one.kind for one in mine if one.installed})
    if not of_kind or not of_kind[0].installed:
        ways = [one.install for one in of_kind if one.install]
        works = f"{model.name} follows {', '.join(installed)}" if installed else f"{model.name} follows no structure"
        raise Refused(
            "not_installed" if of_kind else "not_supported",
            f"no ControlNet for {wanted.kind} is here for {model.platform}",
            path=f"{path}.kind",
            hint="; ".join([*ways[:1], works]),
        )
    if not wanted.preprocessed and of_kind[0].prepare:
        raise Refused(
            "not_installed",
            f"no model here makes a map of {wanted.kind}",
            path=f"{path}.preprocessed",
            hint=f'give the map itself as the image, with "preprocessed": true; or {of_kind[0].prepare}',
        )
    return ControlImage(
        kind=wanted.kind,
        model=of_kind[0].name,
        blob=picture.blob,
        weight=wanted.weight,
        start=wanted.start,
        end=wanted.end,
        preprocessed=wanted.preprocessed,
    )


def check_mask(mask: Rgb) -> None:
    """Refuse a mask that leaves everything as it is.

    Raises:
        Refused: it has no white.
    """
    if mask.mean(2).max() < 128:
        raise Refused(
            "invalid_value",
            "the mask has no white: nothing would be made anew",
            path="$.mask",
            hint="paint white what is to change",
        )


def check_lines(picture: Rgb, preprocessed: bool, path: str) -> None:
    """Refuse a picture whose edges, or a map whose lines, are too few to lead anything.

    Raises:
        Refused: on less than `MIN_EDGE_SHARE` of its pixels.
    """
    every = max(1, max(picture.shape) // EDGE_SEARCH_SIDE)
    seen = picture[::every, ::every]
    lines = seen.max(2) >= 128 if preprocessed else canny(seen)
    if float(np.mean(lines)) < MIN_EDGE_SHARE:
        what = "lines" if preprocessed else "edges"
        raise Refused(
            "invalid_value",
            f"the picture has almost no {what} to follow",
            path=path,
            hint="give one with clear outlines",
        )


def scale_init_image(init: InitImage | None, before: tuple[int, int], after: tuple[int, int]) -> InitImage | None:
    """The start of a picture that is made again in another size, (width, height)."""
    if init is None or init.box is None:
        return init
    across, down = after[0] / before[0], after[1] / before[1]
    left, top, width, height = init.box
    box = [round(left * across), round(top * down), round(width * across), round(height * down)]
    return InitImage(blob=init.blob, strength=init.strength, mask=init.mask, box=box)


def _placement_box(placement: Placement, picture: LoadedImage, size: tuple[int, int]) -> list[int]:
    """Where a picture lies in one of `size`."""
    free = size[0] - picture.width, size[1] - picture.height
    left = free[0] // 2 if placement.left is None else placement.left
    top = free[1] // 2 if placement.top is None else placement.top
    if not (0 <= left <= free[0] and 0 <= top <= free[1]) or free == (0, 0):
        raise BadCommand(
            "invalid_value",
            f"a picture of {_size_text(picture)} at {left}, {top} leaves no border in {size[0]}x{size[1]}",
            path="$.placement",
            hint="name a larger size in requirements.resolution",
        )
    return [left, top, picture.width, picture.height]


def _size_text(picture: LoadedImage) -> str:
    return f"{picture.width}x{picture.height}"


def capable_platforms_hint(needed: str, models: Iterable[ModelInfo]) -> str:
    """Which installed models begin from what is needed, as a hint."""
    able = sorted({model.platform for model in models if model.installed and needed in model.starts})
    return f"platforms that do: {', '.join(able)}" if able else "no model here does"
