"""Numbers agree with their nouns, money has one unit, times say their zone."""

import pytest

from agents.doors.cli.amounts import describe_reused, format_moment, format_money
from protocol.counts import format_count


@pytest.mark.parametrize(
    ("count", "plural", "text"),
    [
        (1, None, "1 picture"),
        (0, None, "0 pictures"),
        (2, None, "2 pictures"),
        (2, "pictures of it", "2 pictures of it"),
    ],
)
def test_a_number_agrees_with_its_noun(count: int, plural: str | None, text: str):
    assert format_count(count, "picture", plural) == text


@pytest.mark.parametrize(
    ("reused", "total", "text"),
    [(1, 1, "1 of 1 picture was there"), (1, 2, "1 of 2 pictures was there"), (2, 2, "2 of 2 pictures were there")],
)
def test_reused_pictures_are_told_in_numbers_that_agree(reused: int, total: int, text: str):
    assert describe_reused(reused, total) == f"{text} already (reused, no cost)"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0.0, "0.00 USD"),
        (0.3, "0.30 USD"),
        (5.0, "5.00 USD"),
        (0.000417, "0.000417 USD"),
        (12.3456789, "12.345679 USD"),
    ],
)
def test_money_is_in_dollars_and_shows_every_micro_dollar(amount: float, text: str):
    assert format_money(amount) == text


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        ("2026-11-30T20:06:21+00:00", "2026-11-30 20:06 UTC"),
        ("2026-11-30T20:06:21.5", "2026-11-30 20:06 UTC"),
        ("2026-12-01T01:36:21+05:30", "2026-11-30 20:06 UTC"),
    ],
)
def test_a_time_says_that_it_is_utc(iso: str, text: str):
    assert format_moment(iso) == text
    assert format_moment(iso, year=False) == text[5:]
