"""Hostile commands in small numbers: the door answers each with a command or a typed error, and nothing else."""

from collections import Counter

import pytest

from tests.fuzz.commands import run_in_process
from tests.fuzz.mutations import payload


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_hostile_payload_is_accepted_or_refused_with_a_typed_error(seed: int) -> None:
    outcomes = run_in_process(seed, 1000)

    assert outcomes.broken == []
    assert outcomes.total == 1000
    assert outcomes.counts["accepted"] > 20
    assert {"error invalid_value", "error invalid_json", "error unknown_field", "error bad_encoding"} <= set(
        outcomes.counts
    )


def test_a_seed_always_gives_the_same_payloads_and_another_seed_others() -> None:
    first = [payload(7, number) for number in range(50)]

    assert [payload(7, number) for number in range(50)] == first
    assert [payload(8, number) for number in range(50)] != first


def test_every_kind_of_mutation_takes_part() -> None:
    kinds = Counter(payload(1, number).kind for number in range(3000))

    assert len(kinds) >= 14
    assert kinds["structure"] > 500
