"""`--sweep` in all its forms, and how many pictures an order asks for."""

import pytest

from agents.doors.cli.errors import Failure
from agents.doors.cli.generate.order import GenerateOptions, command_of
from agents.doors.cli.generate.sweep_flags import count_asked, parse_sweep
from protocol.commands import GenerateImages
from protocol.errors import AcpError
from protocol.parameters import Requirements, Scalar, Sweep


@pytest.mark.parametrize(
    ("flags", "values"),
    [
        (["steps=20, 28"], {"steps": [20, 28]}),
        (["guidance=4.5,7", "seed=1,2"], {"guidance": [4.5, 7.0], "seed": [1, 2]}),
        (["lora:film=0.6,0.8"], {"lora:film": [0.6, 0.8]}),
        (["size=1K,16:9"], {"resolution": ["1K", "16:9"]}),
        (["negative=text, hands|blur"], {"negative_prompt": ["text, hands", "blur"]}),
        (["prompt=a car, red|a=b"], {"prompt": ["a car, red", "a=b"]}),
        (["sampler=Euler a,DDIM"], {"sampler": ["Euler a", "DDIM"]}),
    ],
)
def test_values_are_of_the_type_of_their_field(flags: list[str], values: dict[str, list[Scalar]]):
    assert parse_sweep(flags) == Sweep(values=values)


def test_without_flags_there_is_no_sweep():
    assert parse_sweep([]) is None


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["steps"], "steps=20,28"),
        (["steps="], "steps=20,28"),
        (["=20"], "steps=20,28"),
        (["stpes=20"], "did you mean steps?"),
        (["steps=20", "steps=28"], "one flag"),
    ],
)
def test_what_is_no_sweep_is_told_with_what_one_is(flags: list[str], hint: str):
    with pytest.raises(Failure) as refused:
        parse_sweep(flags)
    assert hint in (refused.value.body.hint or "")


@pytest.mark.parametrize(
    ("flags", "path"),
    [(["steps=20,many"], "$.sweep.values.steps[1]"), (["lora:film=0.8"], "$.sweep.values.lora:film")],
)
def test_a_value_that_its_field_does_not_take_is_refused_before_a_workshop_is_started(flags: list[str], path: str):
    with pytest.raises(AcpError) as refused:
        command_of(GenerateOptions(brief="a car", sweep=parse_sweep(flags)))
    assert refused.value.body.path == path


@pytest.mark.parametrize(
    ("sweep", "count"),
    [
        (None, 3),
        (Sweep(values={"steps": [1, 2], "seed": [1, 2, 3]}), 18),
        (Sweep(mode="list", values={"steps": [1, 2], "seed": [1, 2]}), 6),
    ],
)
def test_pictures_are_counted_before_they_are_asked_for(sweep: Sweep | None, count: int):
    assert count_asked(GenerateImages(requirements=Requirements(quantity=3), sweep=sweep)) == count
