"""What the time of a command consists of."""

import pytest

from agents.doors.cli.terminal.phases import PhaseClock, Phases, format_phases


@pytest.mark.parametrize(
    ("phases", "shown"),
    [
        (
            Phases(starting=3.0, plan=0.2, making=9.0, handing_over=0.1, total=12.3, generation=17.5),
            "12.3 s (starting 3.0 s, plan 0.2 s, making 9.0 s, handing over 0.1 s; device 17.5 s)",
        ),
        (Phases(starting=0.01, plan=0.02, making=71.0, total=71.03), "1 min 11 s (making 1 min 11 s)"),
        (Phases(plan=0.01, making=0.0, total=0.01), "0.0 s"),
        (Phases(generation=1.0), "not measured (device 1.0 s)"),
    ],
)
def test_the_time_of_a_command_is_told_with_what_it_consists_of(phases: Phases, shown: str) -> None:
    assert format_phases(phases) == shown


def test_the_phases_of_a_command_add_up_to_its_time() -> None:
    clock = PhaseClock()
    clock.end_phase("starting")
    clock.end_phase("making", 0.0)  # ended before it was looked for: it took no time, and nothing is counted twice
    clock.end_phase("handing_over")
    clock.end_phase("handing_over")
    phases = clock.phases(None)
    assert phases.making == 0.0
    assert phases.plan is None
    assert phases.total == pytest.approx((phases.starting or 0.0) + (phases.handing_over or 0.0))
