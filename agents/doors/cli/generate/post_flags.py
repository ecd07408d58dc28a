"""What a person wants done with pictures after generation: steps of the protocol, in the order of the flags."""

import math
from collections.abc import Mapping

from agents.doors.cli.errors import bad_input
from agents.doors.cli.generate.order import parse_lora
from agents.doors.cli.generate.source_images import parse_source
from protocol.parameters import Lora
from protocol.post import CorrectColour, PostStep, Refine, RemoveArtefacts, Upscale

STEPS_AS_GENERATED = "generated"
"""As `--colours`: the picture as it was before all steps."""


def parse_post_steps(flags: Mapping[str, str]) -> list[PostStep]:
    """The steps of flags without their dashes, in their order.

    Raises:
        Failure: a value that is not of the form of its flag, or no picture.
    """
    return [_parse_step(flag, text) for flag, text in flags.items()]


def _parse_step(flag: str, text: str) -> PostStep:
    match flag:
        case "upscale":
            name, scale = _split_number(text, flag, "NAME:FACTOR, such as lanczos:2")
            return Upscale(model=name, scale=scale)
        case "refine":
            return _parse_refine(text)
        case "clean":
            name, strength = _split_number(text, flag, "NAME:STRENGTH, such as 1x_dejpeg:0.8")
            return RemoveArtefacts(model=name, strength=1.0 if strength is None else strength)
        case _:
            return CorrectColour(towards=None if text == STEPS_AS_GENERATED else parse_source(text))


def _parse_refine(text: str) -> Refine:
    """`STRENGTH`, `STRENGTH:LORA` or `STRENGTH:LORA:WEIGHT`."""
    strength, _, adapter = text.partition(":")
    number = _parse_number(strength)
    if number is None:
        raise bad_input(f"--refine {text} does not begin with a strength", hint="above 0 to 1, such as 0.3")
    loras: list[Lora] | None = [parse_lora(adapter)] if adapter else None
    return Refine(strength=number, loras=loras)


def _split_number(text: str, flag: str, form: str) -> tuple[str, float | None]:
    """A name, and the number after its colon; null where there is none."""
    name, separator, much = text.rpartition(":")
    number = _parse_number(much)
    if separator and (number is None or not name):
        raise bad_input(f"--{flag} {text} is not of the form {form}", hint="leave the number out for the usual one")
    return (name, number) if separator else (text, None)


def _parse_number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
