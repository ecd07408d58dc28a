"""Rows of a call: pinned sizes, the knee, the bound of memory, and what a picture remembers."""

import pytest

from agents.generator.step_engine.buckets import (
    CALLS_BETWEEN_RETRIES,
    MAX_RECENT_CALLS,
    MIN_CALLS,
    PINNED_SIZES,
    CallSizes,
    bucket_at,
    extend_trace,
    halved_bound,
    knee,
    max_rows_in_memory,
    padded_size,
    rows_for_next_call,
)


@pytest.mark.parametrize(("rows", "size"), [(1, 1), (2, 2), (3, 4), (9, 10), (17, 20), (32, 32), (40, 40)])
def test_a_call_is_filled_up_to_a_pinned_size(rows: int, size: int):
    assert padded_size(rows) == size


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        pytest.param({}, 1, id="nothing-measured"),
        pytest.param({1: 1.0, 2: 2.0, 4: 4.0}, 1, id="full-with-one-row"),
        pytest.param({1: 1.0, 2: 1.0, 4: 1.0, 8: 2.0}, 4, id="free-up-to-four"),
        pytest.param({1: 1.0, 2: 1.0, 4: 1.95, 8: 3.9}, 2, id="hardly-better-beyond-two"),
        pytest.param({2: 1.0, 4: 2.5}, 2, id="worse-in-larger-ones"),
    ],
)
def test_the_knee_is_the_smallest_size_near_the_best_rows_per_second(seconds: dict[int, float], best: int):
    assert knee(seconds) == best


@pytest.mark.parametrize(
    ("seconds", "cap", "most"),
    [
        pytest.param({}, 32, 1, id="begins-with-the-smallest"),
        pytest.param({1: 1.0}, 32, 2, id="tries-the-next"),
        pytest.param({2: 1.0}, 32, 4, id="tries-the-next-after-a-guided-picture"),
        pytest.param({1: 1.0, 2: 2.0}, 32, 1, id="stops-where-twice-the-knee-was-no-better"),
        pytest.param({4: 1.0, 6: 1.5}, 32, 8, id="looks-as-far-as-twice-the-knee"),
        pytest.param({1: 1.0, 2: 1.0, 4: 1.0, 6: 1.0}, 4, 4, id="stays-within-memory"),
        pytest.param(dict.fromkeys(PINNED_SIZES, 1.0), 32, 32, id="ends-with-the-largest"),
    ],
)
def test_room_grows_with_what_was_measured(seconds: dict[int, float], cap: int, most: int):
    assert rows_for_next_call(seconds, cap) == most


@pytest.mark.parametrize(
    ("peaks", "memory", "most"),
    [
        pytest.param({2: 90}, None, 32, id="nothing-to-measure"),
        pytest.param({}, 100, 32, id="nothing-measured"),
        pytest.param({2: 50}, 100, 4, id="one-size-says-little"),
        pytest.param({2: 60, 4: 70}, 100, 10, id="a-straight-line"),
        pytest.param({1: 10, 2: 60, 4: 70}, 100, 10, id="through-the-two-largest"),
        pytest.param({2: 60, 4: 90}, 100, 4, id="nearly-full"),
        pytest.param({2: 60, 4: 130}, 100, 3, id="more-than-there-is"),
        pytest.param({2: 60, 4: 60}, 100, 32, id="rows-cost-nothing"),
    ],
)
def test_memory_admits_what_the_measured_peaks_let_expect(peaks: dict[int, int], memory: int | None, most: int):
    assert max_rows_in_memory(peaks, memory) == most


def test_a_size_that_memory_would_not_hold_is_not_tried():
    sizes = CallSizes(memory=100)
    for rows, peak in ((2, 60), (4, 80)):
        for _ in range(MIN_CALLS):
            sizes.note("unet", rows, 1.0, peak)
    assert sizes.rows_for_next_call("unet") == 6
    for _ in range(MIN_CALLS):
        sizes.note("unet", 6, 1.0, 98)
    assert sizes.rows_for_next_call("unet") == 6


@pytest.mark.parametrize(("rows", "bound"), [(32, 16), (10, 4), (4, 2), (2, 1), (1, 1)])
def test_memory_halves_a_call(rows: int, bound: int):
    assert halved_bound(rows) == bound


def noted(sizes: CallSizes, rows: int, *seconds: float) -> None:
    for taken in seconds:
        sizes.note("unet", rows, taken)


def test_what_did_not_fit_is_not_tried_again():
    sizes = CallSizes()
    for rows in (2, 4, 6, 8):
        noted(sizes, rows, *[1.0] * MIN_CALLS)
    assert sizes.rows_for_next_call("unet") == 10
    sizes.shrink("unet", 10)
    assert sizes.rows_for_next_call("unet") == 4


def test_a_size_is_tried_until_its_time_can_be_believed():
    sizes = CallSizes()
    noted(sizes, 2, *[1.0] * MIN_CALLS)
    noted(sizes, 4, 9.0, 9.0)
    assert sizes.rows_for_next_call("unet") == 4
    noted(sizes, 4, 1.0, 1.0)
    assert sizes.rows_for_next_call("unet") == 6


@pytest.mark.parametrize(
    ("seconds", "rows"),
    [
        pytest.param((9.0, 5.0, 1.0, 1.0), 6, id="a-slow-one"),
        pytest.param((0.1, 2.0, 2.0, 2.0), 2, id="a-quick-first-one"),
        pytest.param((2.0, 2.0, 0.1, 2.0), 2, id="a-quick-one"),
        pytest.param((2.0, *[2.0] * 100, *[1.0] * MAX_RECENT_CALLS), 6, id="those-of-long-ago"),
    ],
)
def test_a_size_is_judged_by_the_middle_one_of_its_recent_calls(seconds: tuple[float, ...], rows: int):
    sizes = CallSizes()
    noted(sizes, 2, *[1.0] * MIN_CALLS)
    noted(sizes, 4, *seconds)
    assert sizes.rows_for_next_call("unet") == rows


def test_a_size_that_was_measured_in_a_bad_moment_gets_another_chance():
    sizes = CallSizes()
    for rows in (2, 4, 6, 8):
        noted(sizes, rows, *[rows * 1.0] * MIN_CALLS)
    offered = [sizes.rows_for_next_call("unet") for _ in range(3 * CALLS_BETWEEN_RETRIES)]
    assert set(offered[:CALLS_BETWEEN_RETRIES]) == {2}
    assert 4 in offered
    noted(sizes, 4, 1.0)
    assert sizes.rows_for_next_call("unet") >= 4


def test_the_cost_of_rows_is_that_of_the_nearest_size():
    sizes = CallSizes()
    assert sizes.cost_ms("unet", 2) == 0.0
    noted(sizes, 2, 0.04, 0.02, 0.02, 0.09)
    assert sizes.cost_ms("unet", 2) == pytest.approx(20.0)
    assert sizes.cost_ms("unet", 4) == pytest.approx(40.0)
    assert sizes.cost_ms("vae", 2) == 0.0


def test_a_trace_says_the_bucket_of_every_call():
    made = [1, 1, 4, 4, 4, 2]
    trace: tuple[tuple[int, int], ...] = ()
    for bucket in made:
        trace = extend_trace(trace, bucket)
    assert trace == ((1, 2), (4, 3), (2, 1))
    assert [bucket_at(trace, call) for call in range(6)] == made
    assert bucket_at(trace, 6) == 2
    assert bucket_at((), 0) == 1
