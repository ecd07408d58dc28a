# pyright: basic
"""Decodes latents to pictures beside the denoising, in a thread of its own, several at once where that pays."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import torch

from agents.generator.device import errors
from agents.generator.step_engine import model_calls
from agents.generator.step_engine.buckets import CallSizes
from agents.generator.step_engine.run import Run

Deliver = Callable[[Run, Any, BaseException | None], None]
"""Takes a picture's answer, or the error instead of one; runs in the loop's thread."""


class Decoder:
    """Pictures that wait for their decoding. All but the decoding itself runs in the loop's thread, to which `post`
    hands a function."""

    def __init__(
        self,
        device: torch.device,
        threads: int,
        sizes: CallSizes,
        post: Callable[[Callable[[], None]], None],
        deliver: Deliver,
    ) -> None:
        self._device = device
        self._sizes = sizes
        self._post = post
        self._deliver = deliver
        self._waiting_runs: list[Run] = []
        self._busy = False
        self._thread = ThreadPoolExecutor(1, "decode", initializer=partial(_prepare_thread, threads))

    def add(self, run: Run) -> None:
        """Decode what a picture waits for."""
        self._waiting_runs.append(run)
        self._start()

    def close(self) -> None:
        """Wait for the call that is being made, and make no further one."""
        self._waiting_runs.clear()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> None:
        if self._busy or not self._waiting_runs:
            return
        first = self._waiting_runs[0]
        bucket, own = first.bucket("decode"), first.pending.call.rows
        if bucket or not own:
            runs, size = [first], (bucket or 1) * own
        else:
            same = [
                run for run in self._waiting_runs if run.call_key == first.call_key and run.bucket("decode") is None
            ]
            runs = same[: max(1, self._sizes.rows_for_next_call(first.call_key) // own)]
            size = self._sizes.padded_size(len(runs) * own)
        self._waiting_runs = [run for run in self._waiting_runs if run not in runs]
        self._busy = True
        self._thread.submit(self._decode, runs, size)

    def _decode(self, runs: Sequence[Run], size: int) -> None:
        """In the decoder's thread."""
        started, counted = time.perf_counter(), time.thread_time()
        answers, failure = [], None
        try:
            answers = _decode_calls([run.pending.call for run in runs], size)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)
        except Exception as error:  # noqa: BLE001 - given to the picture
            failure = error
        seconds = time.perf_counter() - started
        # On a CPU the denoising beside it is left out, as far as it runs in other threads.
        counted = time.thread_time() - counted if self._device.type == "cpu" else seconds
        self._post(partial(self._finish, runs, size, answers, failure, seconds, counted))

    def _finish(
        self,
        runs: Sequence[Run],
        size: int,
        answers: Sequence[Any],
        error: Exception | None,
        seconds: float,
        counted: float,
    ) -> None:
        self._busy = False
        if error is None:
            self._sizes.note(runs[0].call_key, size, counted)
            for run, answer in zip(runs, answers, strict=True):
                run.add_seconds(seconds / len(runs))
                run.record_decode(size // max(run.pending.call.rows, 1))
                self._deliver(run, answer, None)
        elif len(runs) > 1 and not errors.is_device_fault(error):
            # One by one: for want of memory, or because one of them is the cause.
            if errors.is_out_of_memory(error):
                self._sizes.shrink(runs[0].call_key, size)
            for run in runs:
                self._thread.submit(self._decode, [run], self._sizes.padded_size(run.pending.call.rows))
            self._busy = True
        else:
            self._deliver(runs[0], None, error)
        self._start()


def _prepare_thread(threads: int) -> None:
    torch.set_grad_enabled(False)
    if threads:
        torch.set_num_threads(threads)


def _decode_calls(together: Sequence[model_calls.ModelCall], size: int) -> list[Any]:
    """Decode; in tiles, where one picture does not fit into memory in one piece."""
    first = together[0]
    try:
        return model_calls.run_shared(together, size)
    except Exception as error:
        autoencoder: Any = getattr(first.function, "__self__", None)
        if len(together) > 1 or not errors.is_out_of_memory(error) or not hasattr(autoencoder, "enable_tiling"):
            raise
        autoencoder.enable_tiling()
        try:
            return [first.run()]
        finally:
            autoencoder.disable_tiling()
