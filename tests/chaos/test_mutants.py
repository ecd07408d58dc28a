"""A process that lacks one guard is found out: a checker that was never seen red proves nothing."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from protocol.messages import Role
from tests.chaos.campaign import ALONE, BRISK, Misery, Outcome, armed, campaign
from tests.chaos.schedule import orders
from tests.chaos.workshop import Workshop

pytestmark = [pytest.mark.slow, pytest.mark.chaos, pytest.mark.timeout(300)]

ORDERS = [order for order in orders(5, 40) if order.cancel_after is None and not order.held][:3]


async def repeating(shop: Workshop, outcome: Outcome) -> None:
    """Say everything again and again while pictures are made a second and third time."""
    for count in range(40, 400, 40):
        await shop.until(lambda count=count: shop.said >= count)
        await shop.repeat()


@dataclass(frozen=True)
class Scenario:
    """Which process lacks which guard, what happens to it, and which invariant is broken."""

    role: Role
    mutant: str
    broken: str
    arm: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    misery: Misery = field(default=armed(60))


SCENARIOS = (
    Scenario("planner", "no-unique-key", "I8"),
    Scenario(
        "planner",
        "no-fencing",
        "I2",
        settings={"BOTTEGA_QA_SCORING": "true", "BOTTEGA_MIN_SCORE": "0.9"},
        misery=repeating,
    ),
    Scenario(
        "planner",
        "no-outbox",
        "I3",
        arm="sql.committed=kill@9",
        settings={"BOTTEGA_STALE_S": "600"},
    ),
    Scenario("storage", "no-rename", "I3", arm="file.written=kill@3"),
    Scenario("storage", "power-cut-no-fsync", "I2", arm="sql.committed=kill@3"),
)


async def run(home: Path, scenario: Scenario, mutant: str | None) -> Outcome:
    arm = {f"{scenario.role}-0": deque([scenario.arm] if scenario.arm else [])}
    options: dict[Role, tuple[str, ...]] = {scenario.role: ("--mutant", mutant)} if mutant else {}
    return await campaign(
        home,
        5,
        scenario.misery,
        crew=ALONE,
        settings={**BRISK, **scenario.settings},
        arm=arm,
        options=options,
        placed=ORDERS,
        end_s=60,
    )


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.mutant)
async def test_a_missing_guard_is_noticed(tmp_path: Path, scenario: Scenario) -> None:
    outcome = await run(tmp_path, scenario, scenario.mutant)

    assert scenario.broken in {problem.split(":")[0] for problem in outcome.problems}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.mutant)
async def test_the_same_happens_to_a_whole_process_without_harm(tmp_path: Path, scenario: Scenario) -> None:
    """Where the mutant loses power at its death, so does the whole process: it synced what it told."""
    outcome = await run(tmp_path, scenario, "power-cut" if scenario.mutant.startswith("power-cut") else None)

    assert outcome.problems == []
