"""Hostile commands against a planner in a process of its own: each is answered, nothing dies, memory stays flat."""

from pathlib import Path

import pytest

from tests.fuzz.commands import resident_mib, run_live
from tests.fuzz.workshop import workshop

WARM_UP = 500
COUNT = 3000


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_planner_answers_every_hostile_command_and_lives_in_the_same_memory(tmp_path: Path) -> None:
    async with workshop(tmp_path) as running:
        await run_live(running.address, seed=1, count=WARM_UP)
        before = resident_mib(running.planner_pid)

        outcomes = await run_live(running.address, seed=2, count=COUNT)

        assert outcomes.broken == []
        assert outcomes.total == COUNT
        assert outcomes.counts["plan held"] > 5
        assert running.dead() == []
        assert resident_mib(running.planner_pid) < before + 100
