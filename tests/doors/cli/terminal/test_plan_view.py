"""A plan says what its pictures cost, what is held for them, or why that is not known."""

from typing import Any

import pytest
from rich.console import Console

from agents.doors.cli.terminal.console import open_console
from agents.doors.cli.terminal.plan_view import format_cost, headline, show_plan
from protocol.parameters import Lora, Sweep
from protocol.plans import Cost, GenerationPlan, PlanBody, Size


@pytest.mark.parametrize(
    ("fields", "cost", "hold"),
    [
        pytest.param({"unknown_cost": "no_price"}, "not priced", None, id="no price is set"),
        pytest.param(
            {"unknown_cost": "not_measured", "reserved_cost": Cost(amount=0.9)},
            "not measured yet",
            "at most 0.90 USD",
            id="no picture was made",
        ),
        pytest.param(
            {"estimated_cost": Cost(amount=0.0074), "reserved_cost": Cost(amount=0.0444)},
            "0.0074 USD",
            "at most 0.0444 USD",
            id="priced and measured",
        ),
        pytest.param({"estimated_cost": Cost(amount=0.0)}, "0.00 USD", None, id="at no cost"),
    ],
)
def test_cost_and_hold_are_shown_or_why_they_are_not_known(fields: dict[str, Any], cost: str, hold: str | None) -> None:
    body = PlanBody(state="planned", quantity=6, **fields)
    assert format_cost(body) == cost
    console = Console(width=200)
    with console.capture() as shown:
        show_plan(console, GenerationPlan(generation_plan=body, hash=None))
    lines = [line for line in shown.get().splitlines() if line.startswith("hold")]
    assert len(lines) == (hold is not None)
    assert all(hold in line for line in lines if hold)


def test_what_a_prompt_says_is_printed_as_it_is() -> None:
    console = open_console(width=200)
    with console.capture() as shown:
        body = PlanBody(state="planned", quantity=1, warnings=["[a:b:0.5]"])
        show_plan(console, GenerationPlan(generation_plan=body, hash=None))
    assert "[a:b:0.5]" in shown.get()


def test_a_plan_shows_its_loras_and_what_is_tried_instead_of_a_value_that_no_picture_has() -> None:
    tried = Sweep(values={"steps": [10, 30], "resolution": ["128x128", "192x128"]})
    body = PlanBody(
        state="held", quantity=4, steps=20, size=Size(width=128, height=128), guidance=4.0, sweep=tried,
        loras=[Lora(name="neon", weight=0.8)],
    )  # fmt: skip
    plan = GenerationPlan(generation_plan=body, hash="gen_batch_1")
    console = open_console(width=200)
    with console.capture() as shown:
        show_plan(console, plan)
    lines = [line.strip().split(maxsplit=1) for line in shown.get().splitlines()]
    assert ["LoRA", "neon 0.8"] in lines
    assert ["sweep", "steps 10, 30"] in lines
    assert ["sweep", "resolution 128x128, 192x128"] in lines
    assert not [line for line in lines if line[0] in ("steps", "size")]
    assert "20 steps" not in headline(plan)
    assert "steps 10, 30" in headline(plan)
