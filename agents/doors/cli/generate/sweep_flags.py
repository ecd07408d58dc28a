"""What a person wants tried: `--sweep FIELD=VALUE,VALUE`, as a sweep of the protocol. Pure module."""

from collections.abc import Sequence

from agents.doors.cli.errors import bad_input
from protocol.commands import GenerateImages
from protocol.nearest import nearest
from protocol.parameters import Scalar, Sweep
from protocol.sweep import FIELDS, LORA

NAMES = {"size": "resolution", "negative": "negative_prompt", "style-reference": "style_reference"}
"""Names of flags whose fields are called otherwise."""
TEXTS = ("brief", "prompt", "negative_prompt")
"""Fields whose values have commas of their own."""
WHOLE_NUMBERS = ("seed", "steps")
EXAMPLES = "such as steps=20,28 or lora:NAME=0.6,0.8; texts are parted by |"


def parse_sweep(flags: Sequence[str]) -> Sweep | None:
    """Every combination of the values of each flag, the last varying fastest; null without flags.

    Raises:
        Failure: not of that form, a field that cannot be swept, or one that is given twice.
    """
    values: dict[str, list[Scalar]] = {}
    for text in flags:
        name, equals, listed = text.partition("=")
        if not equals or not name or not listed:
            raise bad_input(f"--sweep {text} is not FIELD=VALUE,VALUE", hint=EXAMPLES)
        field = NAMES.get(name.strip(), name.strip())
        if field not in FIELDS and not field.startswith(LORA):
            known = [*NAMES, *(name for name in FIELDS if name not in NAMES.values()), f"{LORA}NAME"]
            raise bad_input(f"--sweep: {field} cannot be swept", hint=nearest(field, known))
        if field in values:
            raise bad_input(f"--sweep: {name} is given twice", hint="list all of its values in one flag")
        parts = listed.split("|" if field in TEXTS else ",")
        values[field] = [_value_of(field, part.strip()) for part in parts]
    return Sweep(values=values) if values else None


def count_asked(command: GenerateImages) -> int:
    """Pictures that a command asks for: its quantity for each combination of its sweep."""
    count = command.requirements.quantity
    if command.sweep is None:
        return count
    lengths = [len(values) for values in command.sweep.values.values()]
    if command.sweep.mode == "list":
        return count * max(lengths, default=1)
    for length in lengths:
        count *= length
    return count


def _value_of(field: str, text: str) -> Scalar:
    """A value as its field takes it; what is no number where one belongs stays a text, which the protocol refuses with
    its place."""
    if field not in WHOLE_NUMBERS and field != "guidance" and not field.startswith(LORA):
        return text
    try:
        return int(text) if field in WHOLE_NUMBERS else float(text)
    except ValueError:
        return text
