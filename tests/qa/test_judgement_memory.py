"""QA remembers what it accepted, within bounds."""

from agents.qa.judgement_memory import Judgement, JudgementMemory
from agents.qa.signature import signature
from tests.qa.drawings import disc, tower

DISC, TOWER = signature(disc()), signature(tower())


def judged(sign: bytes, *, attempt: int = 1, accepted: bool = True, near_duplicate: bool = False) -> Judgement:
    return Judgement(attempt=attempt, signature=sign, accepted=accepted, near_duplicate=near_duplicate)


def test_a_copy_of_an_accepted_picture_of_another_index_is_a_near_duplicate() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(DISC))
    assert memory.has_near_duplicate("b", 1, 1, DISC)
    assert not memory.has_near_duplicate("b", 1, 1, TOWER)


def test_batches_do_not_meet() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(DISC))
    assert not memory.has_near_duplicate("c", 1, 1, DISC)


def test_a_rejected_picture_may_be_made_again() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(DISC, accepted=False))
    assert not memory.has_near_duplicate("b", 1, 1, DISC)


def test_another_attempt_at_the_same_index_is_not_its_own_duplicate() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(DISC))
    assert not memory.has_near_duplicate("b", 0, 1, DISC)
    assert not memory.has_near_duplicate("b", 0, 2, DISC)


def test_an_attempt_that_was_judged_keeps_its_verdict_whatever_was_accepted_since() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(DISC))
    memory.record("b", 1, judged(DISC))
    assert not memory.has_near_duplicate("b", 0, 1, DISC)
    memory.record("b", 2, judged(DISC, accepted=False, near_duplicate=True))
    assert memory.has_near_duplicate("b", 2, 1, DISC)


def test_an_old_attempt_that_is_heard_of_late_changes_nothing() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(DISC, attempt=2))
    memory.record("b", 0, judged(TOWER, attempt=1))
    assert memory.has_near_duplicate("b", 1, 1, DISC)
    assert not memory.has_near_duplicate("b", 1, 1, TOWER)


def test_the_oldest_pictures_and_batches_are_forgotten_first() -> None:
    memory = JudgementMemory(batches=2, pictures=2)
    memory.record("b", 0, judged(TOWER))
    memory.record("b", 1, judged(DISC))
    memory.record("b", 2, judged(DISC))
    assert not memory.has_near_duplicate("b", 9, 1, TOWER)
    memory.record("c", 0, judged(DISC))
    memory.record("b", 3, judged(DISC))
    memory.record("d", 0, judged(DISC))
    assert memory.has_near_duplicate("b", 9, 1, DISC)
    assert not memory.has_near_duplicate("c", 9, 1, DISC)


def test_a_signature_of_another_length_is_not_remembered() -> None:
    memory = JudgementMemory()
    memory.record("b", 0, judged(b"from another version"))
    assert not memory.has_near_duplicate("b", 1, 1, DISC)
