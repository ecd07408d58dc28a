"""A pipeline's run as a coroutine: a thread of its own that moves only while the device's thread waits for it.

Diffusers' pipelines are plain functions. Such a thread stops one wherever it calls a model, without rewriting it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Call = TypeVar("Call")
Result = TypeVar("Result")


@dataclass(frozen=True)
class ThreadResult(Generic[Result]):
    """The body returned `value`."""

    value: Result


@dataclass(frozen=True)
class ThreadFailure:
    """The body raised `error`."""

    error: BaseException


class PipelineThread(Generic[Call, Result]):
    """One run of `body`, which gets a function that hands a call to whoever resumes the thread and returns the
    answer."""

    def __init__(self, body: "Callable[[Callable[[Call], object]], Result]", name: str) -> None:
        self._body = body
        self._answers: SimpleQueue[tuple[object, BaseException | None]] = SimpleQueue()
        self._calls: SimpleQueue[Call | ThreadResult[Result] | ThreadFailure] = SimpleQueue()
        # A daemon, so that a thread that nobody resumes does not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def resume(
        self, answer: object = None, error: BaseException | None = None
    ) -> Call | ThreadResult[Result] | ThreadFailure:
        """Go on with the answer to the last call, or with an error raised from it; returns the next call, or the end.
        The first answer is dropped."""
        self._answers.put((answer, error))
        return self._calls.get()

    def _run(self) -> None:
        try:
            self._wait_for_answer()
            self._calls.put(ThreadResult(self._body(self._ask)))
        except BaseException as error:  # noqa: BLE001 - it is raised again where the thread is resumed
            self._calls.put(ThreadFailure(error))

    def _ask(self, call: Call) -> object:
        self._calls.put(call)
        return self._wait_for_answer()

    def _wait_for_answer(self) -> object:
        answer, error = self._answers.get()
        if error is not None:
            raise error
        return answer
