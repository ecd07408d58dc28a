"""Sequences instead of still pictures: by which motion adapter, how long, and what they do not go with. Pure module."""

from collections.abc import Iterable

from protocol.animation import MAX_PIXELS, Motion
from protocol.commands import GenerateImages
from protocol.errors import BadCommand, Refused
from protocol.offers import ModelInfo, MotionInfo
from protocol.parameters import Lora

STILL_ONLY_FIELDS = ("init_image", "controls", "regions", "references", "combos", "post")
"""Fields of a command that only still pictures have."""


def plan_motion(
    command: GenerateImages,
    loras: Iterable[Lora],
    model: ModelInfo,
    known: Iterable[MotionInfo],
    size: tuple[int, int],
) -> tuple[Motion | None, list[str]]:
    """How the pictures of a command move, null where they are still; and what is to be said of it. `loras` are those
    that run; `size` is (width, height) in pixels.

    Raises:
        BadCommand: more frames than the adapter or a file holds.
        Refused: no motion adapter is here for the model, or a field that a sequence cannot follow.
    """
    wanted = command.animation
    if wanted is None:
        return None, []
    adapter = _find_adapter(model, known)
    named = [name for name in STILL_ONLY_FIELDS if getattr(command, name)] + (["loras"] if any(loras) else [])
    if named:
        raise Refused(
            "not_supported",
            f"a sequence is made from words alone, not with {named[0]}",
            path=f"$.{named[0]}",
            hint=f"leave out {' and '.join(named)}, or animation",
        )
    width, height = size
    most = min(adapter.max_frames, MAX_PIXELS // (width * height))
    if wanted.frames > most:
        raise BadCommand(
            "invalid_value",
            f"{wanted.frames} frames of {width}x{height} by {adapter.name}",
            path="$.animation.frames",
            hint=f"at most {most} of this size" if most > 1 else "name a smaller size in requirements.resolution",
        )
    note = f"animation: {wanted.frames} frames by {adapter.name}, through the plain pipeline: its calls are not shared"
    return Motion(model=adapter.name, frames=wanted.frames, fps=wanted.fps), [note]


def _find_adapter(model: ModelInfo, known: Iterable[MotionInfo]) -> MotionInfo:
    every = sorted(known, key=lambda one: (not one.installed, one.name))
    mine = next((one for one in every if one.platform == model.platform), None)
    if mine is not None and mine.installed:
        return mine
    able = sorted({one.platform for one in every if one.installed})
    ways = [mine.install] if mine and mine.install else []
    ways += [f"platforms that make sequences: {', '.join(able)}"] if able else []
    raise Refused(
        "not_installed" if mine else "not_supported",
        f"no motion adapter is here for {model.platform}",
        path="$.animation",
        hint="; ".join(ways) or "ask for still pictures, or for a platform with a motion adapter: bottega models",
    )
