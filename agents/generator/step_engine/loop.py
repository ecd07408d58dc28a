# pyright: basic
"""The device's thread: takes pictures in and makes one model call after the other, each for as many pictures as may
share it.

All of a picture but its model calls runs in its strand, which moves only while this thread waits for it; so one thread
at a time touches a picture, and nothing is locked.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from queue import SimpleQueue
from typing import Any

import torch

from agents.generator.device import errors
from agents.generator.device.device import Gauge, arithmetic, memory_of
from agents.generator.device.residency import first_to_begin
from agents.generator.engine import Stopped
from agents.generator.orders.order import Order
from agents.generator.pipelines.annotators import Annotators
from agents.generator.pipelines.resident import Pipelines, Resident
from agents.generator.step_engine import model_calls
from agents.generator.step_engine.batched_schedulers import kind_of, step_together
from agents.generator.step_engine.buckets import CALLS, FEW_SIZES, SIZES, Sizes
from agents.generator.step_engine.decoder import Decoder
from agents.generator.step_engine.encoder_cache import Embeddings
from agents.generator.step_engine.fair_share import Turns, Waiting
from agents.generator.step_engine.flops import Utilisation, peak_of
from agents.generator.step_engine.model_proxies import Asked, Stepped
from agents.generator.step_engine.pipeline_thread import Ended, Failed, Strand
from agents.generator.step_engine.run import Request, Run
from agents.generator.step_engine.run_stages import made
from agents.generator.upscale.network import Networks

Answer = tuple[Any, BaseException | None]
"""What a strand is given: a value, or an error to raise instead."""


class StepLoop:
    """See the module. `run` is the thread's function; `submit` and `close` may be called from any thread."""

    def __init__(self, device: torch.device, threads: int, pipelines: Pipelines) -> None:
        self._device = device
        self._pipelines = pipelines
        self._annotators = Annotators(device)
        self._networks = Networks(device)
        self._gauge = Gauge(device)
        self._utilisation = Utilisation(peak_of(arithmetic(device).get("gpu", "")), pipelines.compiled)
        # On a CPU sizes are compared by this thread's processor time: other processes, and decoding beside it, lengthen
        # long calls more than short ones.
        self._clock = time.thread_time if device.type == "cpu" else time.perf_counter
        self._embeddings = Embeddings()
        self._sizes = Sizes(memory_of(device), FEW_SIZES if pipelines.compiled else SIZES)
        self._turns = Turns()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._decoder = Decoder(device, threads, self._sizes, self._inbox.put, self._go_on)
        self._outside: deque[Request] = deque()
        self._runs: dict[int, Run] = {}
        self._waiting: dict[int, Run] = {}
        self._stepping: list[Run] = []
        self._probes: deque[Callable[[], None]] = deque()
        self._numbers = 0
        self._open = True

    def submit(self, request: Request) -> None:
        """Take a picture in; `request.done` gets its end."""
        request.done.set_running_or_notify_cancel()
        self._inbox.put(partial(self._enter, request))

    def close(self) -> None:
        """End `run` after the call that is being made; pictures that are not finished are dropped."""
        self._inbox.put(self._close)

    def run(self) -> None:
        """Make pictures until `close`. Where it raises, pictures that are not finished never are.

        Raises:
            RuntimeError: the device is of no use to this process any more.
        """
        torch.set_grad_enabled(False)
        try:
            while self._open:
                self._take_in()
                self._drop_unwanted()
                if self._waiting:
                    self._call()
                elif self._probes:
                    self._probes.popleft()()
        finally:
            self._decoder.close()
        for run in self._runs.values():
            run.strand.resume(error=Stopped())
        for request in [*self._outside, *(run.request for run in self._runs.values())]:
            request.done.set_exception(CancelledError())

    def _take_in(self) -> None:
        """Hear what came; wait for it where there is nothing else to do."""
        if not self._waiting and not self._probes:
            self._inbox.get()()
        while not self._inbox.empty():
            self._inbox.get()()
        self._take_steps()

    def _close(self) -> None:
        self._open = False

    def _enter(self, request: Request) -> None:
        self._outside.append(request)
        self._let_in()

    def _let_in(self) -> None:
        """Begin pictures as long as there is room for the next one's model; those with a loaded model may go first."""
        while self._outside:
            waiting = [(request.order.model.name, request.since) for request in self._outside]
            next_one = first_to_begin(waiting, self._pipelines.names, time.monotonic())
            request = self._outside[next_one]
            try:
                if request.stop():
                    raise Stopped
                if not self._begin(request):
                    return
            except Exception as error:  # noqa: BLE001 - given to the picture
                self._raise_fault(error)
                request.done.set_exception(self._told(error, request.order))
            del self._outside[next_one]

    def _begin(self, request: Request) -> bool:
        """Load the model and run the picture up to its first denoising call; false while there is no room for the
        model beside those that are in use."""
        order, started = request.order, time.perf_counter()
        busy = {run.resident.model.name for run in self._runs.values()}
        resident = self._pipelines.get(order.model, order.folder, busy)
        if resident is None:
            return False
        resident.words.learn(tuple(dict.fromkeys(word for one in order.drawn for word in one.words)))
        order = self._annotators.made(order)
        seen = self._seen(resident, order)
        load = time.perf_counter() - started
        pipeline = resident.variants.pipeline(order)

        def body(ask: Callable[[Asked | Stepped], Any]) -> Any:
            def asked(said: Asked | Stepped) -> Any:
                # A picture that was alone in its call has nobody to step with.
                return said.run() if isinstance(said, Stepped) and not run.accompanied else ask(said)

            return made(run, order, pipeline, seen, asked, self._networks)

        self._numbers += 1
        run = Run(self._numbers, request, resident, Strand(body, f"picture-{self._numbers}"), stages={"load": load})
        self._runs[run.number] = run
        self._go_on(run)
        return True

    def _seen(self, resident: Resident, order: Order) -> list[torch.Tensor]:
        """What each IP-Adapter of an order sees of its pictures, looked at once for all that follow them."""
        found: list[torch.Tensor] = []
        for adapter in order.ip_adapters:
            pictures = [order.references[position] for position in adapter.pictures]
            blobs = tuple(order.job.image_prompts[position].blob for position in adapter.pictures)
            look = partial(resident.ip_adapters.seen, adapter, pictures, len(order.ip_adapters))
            found.append(self._embeddings.get((resident.number, adapter.file, blobs), look))
        return found

    def _go_on(self, run: Run, answer: Any = None, error: BaseException | None = None) -> None:
        """Give a strand its answer and see to what it says next."""
        while True:
            if error is None and run.request.stop():
                answer, error = None, Stopped()
            started = time.perf_counter()
            run.said = run.strand.resume(answer, error)
            run.stage = run.said.stage if isinstance(run.said, Asked) else run.stage
            run.spent(time.perf_counter() - started)
            match run.said:
                case Ended(value=pixels):
                    self._leave(run)
                    run.request.done.set_result(run.drawing(pixels))
                case Failed(error=failure):
                    self._raise_fault(failure)
                    self._leave(run)
                    run.request.done.set_exception(self._told(failure, run.order))
                case Stepped():
                    self._stepping.append(run)
                case Asked(stage="denoise" | "enhance"):
                    run.since = time.monotonic()
                    self._waiting[run.number] = run
                    if run.request.probe and not run.calls:
                        self._prepare_probes(run)
                case Asked(stage="decode"):
                    self._decoder.add(run)
                case Asked() as said:
                    answer, error = self._answer(run, partial(self._encode, run, said))
                    continue
            return

    def _leave(self, run: Run) -> None:
        del self._runs[run.number]
        if self._outside:
            self._inbox.put(self._let_in)

    def _encode(self, run: Run, said: Asked) -> Any:
        """The answer of a model that is called once or twice for a picture."""
        run.resident.prepare(run.order)
        if said.content is None:
            return said.call.run()
        return self._embeddings.get((run.key, said.content), said.call.run)

    def _answer(self, run: Run, function: Callable[[], Any]) -> Answer:
        """What `function` returns or raises, its time counted as the picture's."""
        started = time.perf_counter()
        try:
            return function(), None
        except Exception as error:  # noqa: BLE001 - given to the picture
            self._raise_fault(error)
            return None, error
        finally:
            run.spent(time.perf_counter() - started)

    def _drop_unwanted(self) -> None:
        for run in [run for run in self._waiting.values() if run.request.stop()]:
            del self._waiting[run.number]
            self._go_on(run, error=Stopped())

    def _take_steps(self) -> None:
        """Take the steps that schedulers wait for, several at a time where that is possible."""
        groups: dict[Hashable, list[Run]] = {}
        for run in self._stepping:
            kind = kind_of(run.said)
            groups.setdefault((kind, run.said.sample.shape[1:]) if kind else run.number, []).append(run)
        self._stepping = []
        for runs in groups.values():
            for run, (answer, error) in zip(runs, self._steps(runs), strict=True):
                self._go_on(run, answer, error)

    def _steps(self, runs: Sequence[Run]) -> list[Answer]:
        first, started = runs[0], time.perf_counter()
        kind = kind_of(first.said)
        if kind is None or len(runs) == 1:
            return [self._answer(run, run.said.run) for run in runs]
        latents = step_together(kind, [run.said for run in runs])
        for run in runs:
            run.spent((time.perf_counter() - started) / len(runs))
        return [((one,), None) for one in latents]

    def _call(self) -> None:
        """Make the next denoising call."""
        standing = [self._standing(run) for run in self._waiting.values()]
        chosen = self._turns.next_call(standing, self._sizes.room, time.monotonic())
        runs = [self._waiting.pop(one.number) for one in chosen]
        rows = sum(run.said.call.rows for run in runs)
        wanted = (runs[0].bucket("denoise") or 0) * runs[0].unit
        self._make(runs, max(wanted, rows) if wanted or len(runs) == 1 else self._sizes.padded(rows))
        self._take_steps()

    def _standing(self, run: Run) -> Waiting:
        rows = run.said.call.rows
        return Waiting(
            number=run.number,
            client=run.request.order.job.client_id,
            key=run.key,
            interactive=run.request.order.job.priority == "interactive",
            since=run.since,
            rows=rows,
            cost_ms=self._sizes.milliseconds(run.key, max(rows, 1)),
            alone=rows == 0 or run.bucket("denoise") is not None,
        )

    def _make(self, runs: Sequence[Run], size: int) -> None:
        """One denoising call of `size` rows for all of `runs`."""
        key, started, counted = runs[0].key, time.perf_counter(), self._clock()
        together = [run.said.call for run in runs]
        try:
            if runs[0].said.stage == "denoise":
                runs[0].resident.prepare(runs[0].order)
            weights = getattr(together[0].function, "dtype", None)
            with self._utilisation.counted(key, size, weights), self._as_promised(runs[0]):
                answers = model_calls.shared(together, size)
                self._wait_for_device()
        except Exception as error:  # noqa: BLE001 - given to the pictures
            self._after_failure(runs, size, error)
            return
        seconds, peak, utilisation = time.perf_counter() - started, self._gauge.peak_memory(), self._gauge.utilisation()
        self._sizes.note(key, max(size, 1), self._clock() - counted, peak)
        rows = sum(call.rows for call in together)
        mfu = self._utilisation.of(key, rows, seconds)
        for run, answer in zip(runs, answers, strict=True):
            if run.said.stage == "denoise":
                run.denoised(size)
            run.accompanied = len(runs) > 1
            run.spent(seconds * (run.said.call.rows / rows if rows else 1))
            run.measured(peak, utilisation, mfu)
            self._go_on(run, answer)

    def _as_promised(self, run: Run) -> AbstractContextManager[object]:
        eager = self._pipelines.compiled and not run.order.compilable
        return torch.compiler.set_stance("force_eager") if eager else nullcontext()

    def _after_failure(self, runs: Sequence[Run], size: int, error: Exception) -> None:
        """A call failed: its pictures go on with their latents in smaller ones, or the only one is told."""
        self._raise_fault(error)
        if len(runs) == 1:
            if errors.is_out_of_memory(error):
                self._free()
            self._go_on(runs[0], error=error)
        elif errors.is_out_of_memory(error):
            self._free()
            self._sizes.shrink(runs[0].key, size)
            self._waiting.update({run.number: run for run in runs})
        else:
            # One of them may be the cause, and the others shall not suffer.
            for run in runs:
                self._make([run], run.said.call.rows)

    def _prepare_probes(self, run: Run) -> None:
        """Look for the knee of such calls while there is nothing else to do."""
        key, call = run.key, run.said.call

        def probe(size: int) -> None:
            if size > self._sizes.room(key):
                return
            started = self._clock()
            try:
                run.resident.prepare(run.order)
                model_calls.shared([call], size)
                self._wait_for_device()
            except Exception as error:  # noqa: BLE001 - only a convenience
                self._raise_fault(error)
                self._free()
                self._sizes.shrink(key, size)
            else:
                self._sizes.note(key, size, self._clock() - started, self._gauge.peak_memory())

        if call.rows:
            self._probes.extend(
                partial(probe, size) for size in self._sizes.pinned if size >= call.rows for _ in range(CALLS)
            )

    def _told(self, error: BaseException, order: Order) -> BaseException:
        """An error in words of the order."""
        if errors.is_compilers(error):
            return errors.not_compiled(order.model, error)
        if not errors.is_out_of_memory(error):
            return error
        self._free()
        return errors.out_of_memory(order.model, str(self._device), order.job.width, order.job.height)

    def _raise_fault(self, error: BaseException) -> None:
        if errors.is_fault(error):
            raise error

    def _wait_for_device(self) -> None:
        """Wait until the device has done what was asked of it, so that its time can be told."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _free(self) -> None:
        self._embeddings.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
