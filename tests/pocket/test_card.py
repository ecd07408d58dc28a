"""The model card takes measured tables in their places and keeps all else."""

from __future__ import annotations

import re

import pytest

from agents.pocket.card import CARD, fill_part, hashes

TEXT = "before\n<!-- figures -->\nold\n<!-- end figures -->\nafter\n"


def test_a_part_is_written_anew_and_the_rest_stays() -> None:
    assert fill_part(TEXT, "figures", "new") == "before\n<!-- figures -->\nnew\n<!-- end figures -->\nafter\n"


def test_a_card_without_the_part_is_refused() -> None:
    with pytest.raises(ValueError, match="no part between <!-- sweep -->"):
        fill_part(TEXT, "sweep", "new")


def test_hashes_are_shortened() -> None:
    assert hashes({"model/unet": "0123456789abcdef" * 4}).splitlines()[-1] == "| model/unet | `0123456789abcdef` |"


def test_the_card_has_a_place_for_everything_that_is_measured() -> None:
    assert set(re.findall(r"^<!-- (\w+) -->$", CARD.read_text(), re.MULTILINE)) == {"figures", "sweep", "hashes"}
