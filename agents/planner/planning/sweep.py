"""Sweeps: the values of combination number N, computed when they are needed, and what they cost. Pure module."""

from collections.abc import Iterable, Iterator
from math import prod

from msgspec.structs import replace

from protocol.commands import GenerateImages
from protocol.parameters import Lora, Scalar, Sweep
from protocol.sweep import LORA


def count_combinations(sweep: Sweep | None) -> int:
    """How many combinations there are; 1 without a sweep."""
    if sweep is None:
        return 1
    lengths = [len(values) for values in sweep.values.values()]
    return prod(lengths) if sweep.mode == "grid" else lengths[0]


def combination(sweep: Sweep | None, number: int) -> dict[str, Scalar]:
    """The values of combination `number`, by field; in a grid the last field varies fastest."""
    if sweep is None:
        return {}
    if sweep.mode == "list":
        return {name: values[number] for name, values in sweep.values.items()}
    chosen: dict[str, Scalar] = {}
    for name, values in reversed(sweep.values.items()):
        number, place = divmod(number, len(values))
        chosen[name] = values[place]
    return {name: chosen[name] for name in sweep.values}


def single_value_trials(command: GenerateImages) -> Iterator[tuple[str, str, Scalar, GenerateImages]]:
    """(path, field, value, the command with this one value in its place) of every value of the sweep."""
    if command.sweep is None:
        return
    for name, values in command.sweep.values.items():
        for position, value in enumerate(values):
            yield f"$.sweep.values.{name}[{position}]", name, value, with_value(command, name, value)


def with_value(command: GenerateImages, name: str, value: Scalar) -> GenerateImages:
    """The command with a swept value in the place of its field. The value is one that the door let in."""
    match name:
        case "resolution" | "style_reference":
            changed = {"requirements": replace(command.requirements, **{name: value})}
        case "prompt":
            changed = {"prompts": [value]}
        case _ if name.startswith(LORA):
            changed = {"loras": with_lora_weight(command.loras, name, value)}
        case _:
            changed = {name: value}
    return replace(command, sweep=None, **changed)


def with_lora_weight(loras: list[Lora], name: str, weight: Scalar) -> list[Lora]:
    """The adapters, that of `lora:NAME` with another weight. One that is not among them stays out."""
    assert isinstance(weight, int | float)
    return [replace(lora, weight=weight) if f"{LORA}{lora.name}" == name else lora for lora in loras]


def sweep_shares(usual: int | float, trials: Iterable[Iterable[int | float]]) -> tuple[float, float]:
    """(mean, largest) share of `usual` that pictures of a sweep cost; `trials` are, for each of its fields, what one
    costs with each value in its place. What fields change multiplies."""
    shares = [[cost / usual for cost in field] for field in trials]
    return prod(sum(field) / len(field) for field in shares), prod(max(field) for field in shares)
