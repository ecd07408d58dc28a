import pytest

from agents.shared.supervisor.restart import BackOff

POLICY = BackOff(first_s=0.2, factor=2.0, max_s=10.0, stable_s=30.0)


@pytest.mark.parametrize(
    ("deaths", "pause_s"),
    [
        pytest.param(1, 0.2, id="the first restart is quick"),
        pytest.param(2, 0.4, id="the second waits twice as long"),
        pytest.param(5, 3.2, id="it grows"),
        pytest.param(7, 10.0, id="up to a bound"),
        pytest.param(10_000, 10.0, id="that never overflows"),
    ],
)
def test_a_process_that_keeps_dying_is_started_ever_more_rarely(deaths: int, pause_s: float):
    assert POLICY.pause_s(deaths) == pytest.approx(pause_s)


@pytest.mark.parametrize(
    ("before", "lived_s", "expected"),
    [
        pytest.param(0, 0.1, 1, id="first death"),
        pytest.param(3, 0.1, 4, id="died young again"),
        pytest.param(3, 29.9, 4, id="not yet stable"),
        pytest.param(3, 30.0, 1, id="lived long: counting begins anew"),
    ],
)
def test_deaths_are_counted_in_a_row_until_a_life_was_long_enough(before: int, lived_s: float, expected: int):
    assert POLICY.deaths_in_a_row(before, lived_s) == expected
