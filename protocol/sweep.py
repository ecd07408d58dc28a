"""Which fields may be swept, and whether each value is valid for its field. Pure module."""

from typing import Any

import msgspec

from protocol.commands import GenerateImages
from protocol.errors import BadCommand
from protocol.ids import Seed
from protocol.nearest import bad_value, nearest
from protocol.parameters import Lora, Requirements, Sweep, Text

LORA = "lora:"
"""`lora:NAME` sweeps the weight of an adapter of the command."""

MAX_VALUES = 1000
"""Values of one field; a grid of three such fields is more than the largest batch."""

MAX_FIELDS = 16


def _types(kind: type[msgspec.Struct], *names: str) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind) if field.name in names}


SweptSeed = Seed | None
"""Where pictures differ by their seeds, each is named."""

FIELDS: dict[str, Any] = {
    **_types(GenerateImages, "brief", "negative_prompt", "style", "steps", "guidance", "sampler"),
    **_types(Requirements, "resolution", "style_reference"),
    "prompt": Text,
    "seed": SweptSeed,
}
"""Field that may differ from picture to picture -> the type of its values. `prompt` is one finished prompt."""


def check_sweep(command: GenerateImages) -> None:
    """Refuse a sweep over what cannot be swept, and values that its field would not take.

    Raises:
        BadCommand: `unknown_field` with the nearest name, or `invalid_value` with a path such as
            `$.sweep.values.steps[2]`.
    """
    sweep = command.sweep
    if sweep is None:
        return
    if not 1 <= len(sweep.values) <= MAX_FIELDS:
        raise BadCommand(
            "invalid_value",
            f"a sweep has 1 to {MAX_FIELDS} fields, not {len(sweep.values)}",
            path="$.sweep.values",
            hint='{"values": {"steps": [20, 28]}}',
        )
    for name, values in sweep.values.items():
        kind, path = _type_of(name, command), f"$.sweep.values.{name[:64]}"
        if not 1 <= len(values) <= MAX_VALUES:
            raise BadCommand("invalid_value", f"1 to {MAX_VALUES} values, not {len(values)}", path=path)
        for position, value in enumerate(values):
            try:
                msgspec.convert(value, kind)
            except msgspec.ValidationError as error:
                raise bad_value(error, kind, f"{path}[{position}]") from error
    _check_lengths(sweep)


def _type_of(name: str, command: GenerateImages) -> Any:
    """The type of a swept field's values."""
    loras = [*(lora.name for lora in command.loras), *command.models]
    if name.startswith(LORA) and name.removeprefix(LORA) in loras:
        return _types(Lora, "weight")["weight"]
    if name in FIELDS:
        return FIELDS[name]
    raise BadCommand(
        "unknown_field",
        f"the field {name[:64]!r} cannot be swept",
        path=f"$.sweep.values.{name[:64]}",
        hint=nearest(name, [*FIELDS, *(f"{LORA}{lora}" for lora in loras)]),
    )


def _check_lengths(sweep: Sweep) -> None:
    (first, values), *others = sweep.values.items()
    for name, paired in others:
        if sweep.mode == "list" and len(paired) != len(values):
            raise BadCommand(
                "invalid_value",
                f"{len(paired)} values beside the {len(values)} of {first}",
                path=f"$.sweep.values.{name}",
                hint='a list is paired side by side; "mode": "grid" tries every combination',
            )
