"""Counts and the status that they make."""

import ast
import random
import struct
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agents.planner.ledger.tally import Tally, add_embedding, consistency, status_of


def unit(*values: float) -> bytes:
    length = sum(value * value for value in values) ** 0.5
    return struct.pack(f"<{len(values)}e", *(value / length for value in values))


def test_nothing_is_measured_before_anything_was_made() -> None:
    status = status_of("gen_batch_1", "running", Tally(quantity=4), None)
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
        body = msgspec.to_builtins(status_of("b", "running", tally, None))["generation_status"]
        assert ("failed" in body, "cancelled" in body) == (failed > 0, cancelled > 0)
        counts = [body.get(name, 0) for name in ("completed", "processing", "queued", "failed", "cancelled")]
        assert sum(counts) == quantity
        assert min(counts) >= 0


def test_only_the_methods_of_a_tally_change_its_counts() -> None:
    root = Path(__file__).parents[3]
    own = root / "agents" / "planner" / "ledger" / "tally.py"
    files = [file for package in ("agents", "tests") for file in (root / package).rglob("*.py") if file != own]
    wrong = [
        f"{file.relative_to(root)}:{node.lineno} {ast.unparse(node)}"
        for file in files
        if "tally" in (text := file.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and not isinstance(node.ctx, ast.Load)
        and ast.unparse(node.value).split(".")[-1] == "tally"
    ]
    assert wrong == []


class Pictures:
    """The pictures of a batch one by one, beside the tally that counts them: `started` are below the cursor, `ahead`
    are the indices of those that were cancelled before their turn."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.tally = Tally(quantity=self.dice.randint(1, 12))
        self.started: list[str] = []
        self.ahead = set[int]()

    def steps(self) -> list[Callable[[], None]]:
        tally, move = self.tally, self.move
        return [
            self.hand_out,
            self.hand_out,
            self.hand_out,
            self.cancel_ahead,
            self.forget_ahead,
            self.resize,
            self.cancel_all_waiting,
            lambda: self.end_rest("failed", tally.fail_rest),
            lambda: self.end_rest("cancelled", tally.cancel_rest),
            lambda: move("in flight", "waiting", tally.park),
            lambda: move("waiting", "in flight", lambda: tally.hand_out_waiting(1)),
            lambda: move("in flight", "completed", self.complete),
            lambda: move("in flight", "failed", tally.fail),
            lambda: move("in flight", "cancelled", tally.cancel),
            lambda: move("waiting", "cancelled", tally.cancel_waiting),
            lambda: move("failed", "waiting", lambda: tally.retry_failed(1)),
            lambda: move("cancelled", "waiting", tally.retry_cancelled),
            lambda: move("failed", "in flight", tally.reopen_failed),
            lambda: move("cancelled", "in flight", tally.reopen_cancelled),
        ]

    def move(self, before: str, after: str, change: Callable[[], None]) -> None:
        found = [index for index, state in enumerate(self.started) if state == before]
        if found:
            self.started[self.dice.choice(found)] = after
            change()

    def hand_out(self) -> None:
        if len(self.started) in self.ahead:
            self.ahead.remove(len(self.started))
            self.started.append("cancelled")
            self.tally.pass_over()
        elif len(self.started) < self.tally.quantity:
            self.started.append("in flight")
            self.tally.hand_out(1)

    def complete(self) -> None:
        embedding = self.dice.choice([None, unit(1, 0)])
        self.tally.complete(reused=self.dice.random() < 0.5, score=self.dice.choice([None, 0.5]), embedding=embedding)

    def cancel_ahead(self) -> None:
        index = self.dice.randrange(self.tally.quantity)
        if index >= len(self.started) and index not in self.ahead:
            self.ahead.add(index)
            self.tally.cancel_ahead()

    def forget_ahead(self) -> None:
        if self.ahead:
            self.ahead.remove(self.dice.choice(sorted(self.ahead)))
            self.tally.forget_ahead(1)

    def resize(self) -> None:
        quantity = max(1, len(self.started), self.tally.quantity + self.dice.randint(-2, 2))
        dropped = {index for index in self.ahead if index >= quantity}
        self.ahead -= dropped
        self.tally.forget_ahead(len(dropped))
        self.tally.resize(quantity)

    def end_rest(self, state: str, change: Callable[[int], None]) -> None:
        if self.dice.random() < 0.1:
            change(len(self.started))
            rest = range(len(self.started), self.tally.quantity)
            self.started += ["cancelled" if index in self.ahead else state for index in rest]
            self.ahead.clear()

    def cancel_all_waiting(self) -> None:
        self.tally.cancel_all_waiting(self.started.count("waiting"))
        self.started = ["cancelled" if state == "waiting" else state for state in self.started]


@pytest.mark.parametrize("seed", range(100))
def test_whatever_happens_to_a_batch_its_counts_add_up_and_say_where_its_pictures_are(seed: int) -> None:
    pictures = Pictures(seed)
    tally, steps = pictures.tally, pictures.steps()
    for _ in range(60):
        pictures.dice.choice(steps)()
        tally.next_status(pictures.dice.randint(0, tally.in_flight))
        assert (tally.in_flight, tally.waiting, tally.completed, tally.failed, tally.cancelled - tally.ahead) == tuple(
            pictures.started.count(state) for state in ("in flight", "waiting", "completed", "failed", "cancelled")
        )
        assert tally.ahead == len(pictures.ahead)
        assert tally.is_finished == (tally.ended_pictures == tally.quantity)
        body = msgspec.to_builtins(status_of("b", "running", tally, None))["generation_status"]
        shown = [body.get(name, 0) for name in ("completed", "processing", "queued", "failed", "cancelled")]
        assert sum(shown) == tally.quantity
        assert min(shown) >= 0
        assert msgspec.json.decode(msgspec.json.encode(tally), type=Tally) == tally


def test_what_was_measured_is_summed_and_averaged() -> None:
    tally = Tally(quantity=2)
    tally.count_generation(2.0, 50.0)
    tally.count_generation(4.0, None)
    tally.count_verdict(True)
    tally.count_verdict(False)
    tally.count_cost(3_000_000)
    tally.hand_out(2)
    tally.complete(reused=True, score=0.5, embedding=None)
    tally.fail()
    status = status_of("b", "completed", tally, None).generation_status
    assert (status.performance.avg_time, status.performance.gpu_util) == (3.0, 50.0)
    assert (status.quality_metrics.avg_score, status.quality_metrics.rejection_rate) == (0.5, 0.5)
    assert (status.cost_per_image, status.reused, tally.is_finished) == (3.0, 1, True)


def test_an_answer_to_a_request_for_prompts_ends_the_waiting_unless_they_are_asked_for_anew() -> None:
    tally = Tally(quantity=200)
    tally.ask_prompts(0)
    assert tally.asked > 0
    tally.receive_prompts(100)
    assert tally.asked == 100
    tally.discard_prompts()
    tally.ask_prompts(40)
    assert (tally.asked, tally.amended) == (41, 1)


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
    assert status_of("b", "running", Tally(quantity=1), "pocket").generation_status.stand_in == "pocket"
