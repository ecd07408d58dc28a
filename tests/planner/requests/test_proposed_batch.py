"""The batch that a command would begin fits the reply that tells of it, and says whether it is held."""

import msgspec
import pytest
from msgspec.structs import replace

from agents.planner.planning.recipe import Defaults
from agents.planner.requests.proposed_batch import propose_batch
from agents.planner.requests.replies import plan_reply
from bus.service import MAX_REPLY_BYTES
from protocol.commands import GenerateImages
from tests.planner.workbench import RECIPE

DEFAULTS = Defaults(stand_in=None, min_score=0.5, max_attempts=3)


def test_a_plan_with_a_flood_of_notes_names_the_first_and_how_many_more_there_are() -> None:
    flood = replace(
        RECIPE,
        not_honoured=[f"--flag{number} is left out" for number in range(50_000)],
        warnings=[str(number) + "x" * 3000 for number in range(1000)],
    )
    batch = propose_batch(GenerateImages(), "local", flood, DEFAULTS, 1, 0.0)
    plan = plan_reply(batch, ["x" * 4000] * 10, 1)
    assert batch.recipe.not_honoured[99:] == ["--flag99 is left out", "and 49900 more of the kind"]
    assert len(batch.recipe.warnings) == 101
    assert len(msgspec.json.encode(plan)) < MAX_REPLY_BYTES / 2


def test_a_plan_with_few_notes_has_them_all() -> None:
    some = replace(RECIPE, not_honoured=["one"], warnings=["two", "three"])
    batch = propose_batch(GenerateImages(), "local", some, DEFAULTS, 1, 0.0)
    assert (batch.recipe.not_honoured, batch.recipe.warnings) == (["one"], ["two", "three"])


@pytest.mark.parametrize(
    ("dry_run", "said"),
    [
        pytest.param(False, "held: the estimated cost is above 0.01 USD", id="a batch is held"),
        pytest.param(True, "would be held: the estimated cost is above 0.01 USD", id="a dry run holds nothing"),
    ],
)
def test_what_costs_more_than_is_made_without_approval_is_held_or_would_be(dry_run: bool, said: str) -> None:
    dear = replace(RECIPE, price_micros=1_000_000)
    defaults = Defaults(stand_in=None, min_score=0.5, max_attempts=3, hold_over=0.01)
    batch = propose_batch(GenerateImages(dry_run=dry_run), "local", dear, defaults, 1, 1.0)
    assert batch.recipe.warnings == [said]
