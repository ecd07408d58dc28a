"""Counts and the status that they make."""

import random
import struct

import msgspec

from agents.planner.ledger.states import BatchState
from agents.planner.ledger.tally import Tally, add_embedding, consistency, status_of


def unit(*values: float) -> bytes:
    length = sum(value * value for value in values) ** 0.5
    return struct.pack(f"<{len(values)}e", *(value / length for value in values))


def test_nothing_is_measured_before_anything_was_made() -> None:
    status = status_of("gen_batch_1", BatchState.RUNNING, Tally(quantity=4), None)
    assert msgspec.to_builtins(status) == {
        "generation_status": {
            "completed": 0,
            "processing": 0,
            "queued": 4,
            "quality_metrics": {"avg_score": None, "consistency": None, "rejection_rate": None},
            "performance": {"avg_time": None, "gpu_util": None},
            "cost_per_image": None,
        },
        "hash": "gen_batch_1",
    }


def test_failed_and_cancelled_appear_only_when_there_are_any_and_the_counts_add_up() -> None:
    dice = random.Random(1)
    for _ in range(500):
        quantity = dice.randint(1, 100)
        completed = dice.randint(0, quantity)
        failed = dice.randint(0, quantity - completed)
        cancelled = dice.randint(0, quantity - completed - failed)
        tally = Tally(
            quantity=quantity,
            completed=completed,
            failed=failed,
            cancelled=cancelled,
            in_flight=dice.randint(0, 10),
        )
        body = msgspec.to_builtins(status_of("b", BatchState.RUNNING, tally, None))["generation_status"]
        assert ("failed" in body, "cancelled" in body) == (failed > 0, cancelled > 0)
        counts = [body.get(name, 0) for name in ("completed", "processing", "queued", "failed", "cancelled")]
        assert sum(counts) == quantity
        assert min(counts) >= 0


def test_consistency_is_the_mean_cosine_over_all_pairs() -> None:
    tally = Tally(quantity=3)
    add_embedding(tally, unit(1, 0))
    assert consistency(tally) is None
    add_embedding(tally, unit(1, 0))
    assert consistency(tally) == 1.0
    add_embedding(tally, unit(1, 1))
    assert abs((consistency(tally) or 0) - (1 + 2 * 0.5**0.5) / 3) < 1e-3


def test_an_embedding_of_another_scorer_is_left_out_of_the_consistency() -> None:
    tally = Tally(quantity=3)
    add_embedding(tally, unit(1, 0))
    add_embedding(tally, unit(1, 0, 0))
    assert tally.embedded == 1


def test_a_stand_in_is_said_in_the_status() -> None:
    assert status_of("b", BatchState.RUNNING, Tally(quantity=1), "pocket").generation_status.stand_in == "pocket"
