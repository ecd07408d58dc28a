"""Strands: functions that stop where they call out, and go on with the answer."""

from collections.abc import Callable

import pytest

from agents.generator.step_engine.pipeline_thread import PipelineThread, ThreadFailure, ThreadResult

Ask = Callable[[str], object]


def test_it_stops_at_each_call_and_goes_on_with_the_answer():
    def body(ask: Ask) -> str:
        return f"{ask('first')} and {ask('second')}"

    strand: PipelineThread[str, str] = PipelineThread(body, "test")
    assert strand.resume() == "first"
    assert strand.resume("one") == "second"
    assert strand.resume("two") == ThreadResult("one and two")


def test_nothing_runs_before_it_is_resumed():
    ran: list[str] = []
    strand: PipelineThread[str, None] = PipelineThread(lambda ask: ran.append("ran"), "test")
    assert ran == []
    assert strand.resume() == ThreadResult(None)
    assert ran == ["ran"]


def test_an_error_instead_of_an_answer_is_raised_where_it_called_out():
    caught: list[str] = []

    def body(ask: Ask) -> object:
        try:
            return ask("first")
        except ValueError as error:
            caught.append(str(error))
            return ask("after the error")

    strand: PipelineThread[str, object] = PipelineThread(body, "test")
    strand.resume()
    assert strand.resume(error=ValueError("no memory")) == "after the error"
    assert caught == ["no memory"]
    assert strand.resume(3) == ThreadResult(3)


def test_what_it_raises_is_told_to_who_resumed_it():
    def body(ask: Ask) -> None:
        ask("first")
        raise KeyError("gone")

    strand: PipelineThread[str, None] = PipelineThread(body, "test")
    strand.resume()
    failed = strand.resume()
    assert isinstance(failed, ThreadFailure)
    with pytest.raises(KeyError, match="gone"):
        raise failed.error


def test_of_many_only_the_one_that_is_resumed_moves():
    moved: list[int] = []

    def body_of(number: int) -> Callable[[Ask], None]:
        def body(ask: Ask) -> None:
            while True:
                moved.append(number)
                ask("next")

        return body

    strands: list[PipelineThread[str, None]] = [
        PipelineThread(body_of(number), f"test-{number}") for number in range(4)
    ]
    order = [2, 0, 3, 1, 1, 2, 0, 3]
    assert [strands[number].resume() for number in order] == ["next"] * len(order)
    assert moved == order
