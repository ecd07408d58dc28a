# pyright: basic
"""The device's thread: admits pictures and makes one model call after another, each for as many pictures as may share
it.

Everything else of a picture runs in its pipeline thread, which moves only while this thread waits for it. So only one
thread at a time touches a picture, and nothing is locked.
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
from agents.generator.device.device import Gauge, memory_of, numeric_environment
from agents.generator.device.residency import index_to_begin
from agents.generator.engine import GenerationStopped
from agents.generator.orders.order import Order
from agents.generator.pipelines.annotators import Annotators
from agents.generator.pipelines.mounting import ModelThrownAway
from agents.generator.pipelines.resident import ResidentModel, ResidentPipelines
from agents.generator.step_engine import model_calls
from agents.generator.step_engine.batched_schedulers import batched_step_of, step_together
from agents.generator.step_engine.buckets import FEW_PINNED_SIZES, MIN_CALLS, PINNED_SIZES, CallSizes
from agents.generator.step_engine.decoder import Decoder
from agents.generator.step_engine.encoder_cache import EncoderCache
from agents.generator.step_engine.fair_share import FairShare, WaitingRun
from agents.generator.step_engine.flops import FlopUtilisation, peak_flops_of
from agents.generator.step_engine.model_proxies import CallRequest, StepRequest
from agents.generator.step_engine.pipeline_thread import PipelineThread, ThreadFailure, ThreadResult
from agents.generator.step_engine.run import Request, Run
from agents.generator.step_engine.run_stages import run_stages
from agents.generator.upscale.network import NetworkCache

Answer = tuple[Any, BaseException | None]
"""The answer to a pipeline thread: a value, or an error to raise instead."""


class StepLoop:
    """See the module. `run` is the thread's function; `submit` and `close` may be called from any thread."""

    def __init__(self, device: torch.device, threads: int, pipelines: ResidentPipelines) -> None:
        self._device = device
        self._pipelines = pipelines
        self._annotators = Annotators(device)
        self._networks = NetworkCache(device)
        self._gauge = Gauge(device)
        self._utilisation = FlopUtilisation(
            peak_flops_of(numeric_environment(device).get("gpu", "")), pipelines.uses_compiler
        )
        # On a CPU sizes are compared by this thread's processor time: other processes, and decoding beside it, lengthen
        # long calls more than short ones.
        self._clock = time.thread_time if device.type == "cpu" else time.perf_counter
        self._encoder_cache = EncoderCache()
        self._sizes = CallSizes(memory_of(device), FEW_PINNED_SIZES if pipelines.uses_compiler else PINNED_SIZES)
        self._fair_share = FairShare()
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._decoder = Decoder(device, threads, self._sizes, self._inbox.put, self._resume)
        self._queued_requests: deque[Request] = deque()
        self._runs: dict[int, Run] = {}
        self._waiting_runs: dict[int, Run] = {}
        self._stepping_runs: list[Run] = []
        self._probes: deque[Callable[[], None]] = deque()
        self._last_number = 0
        self._is_open = True

    def submit(self, request: Request) -> None:
        """Take a picture in; `request.done` gets its end."""
        request.future.set_running_or_notify_cancel()
        self._inbox.put(partial(self._enqueue, request))

    def close(self) -> None:
        """End `run` after the call that is being made; pictures that are not finished are dropped."""
        self._inbox.put(self._mark_closed)

    def run(self) -> None:
        """Make pictures until `close`. Where it raises, pictures that are not finished never are.

        Raises:
            RuntimeError: the device is of no use to this process any more.
        """
        torch.set_grad_enabled(False)
        try:
            while self._is_open:
                self._receive()
                self._drop_stopped()
                if self._waiting_runs:
                    self._make_next_call()
                elif self._probes:
                    self._probes.popleft()()
        finally:
            self._decoder.close()
        for run in self._runs.values():
            run.thread.resume(error=GenerationStopped())
        for request in [*self._queued_requests, *(run.request for run in self._runs.values())]:
            request.future.set_exception(CancelledError())

    def _receive(self) -> None:
        """Hear what came; wait for it where there is nothing else to do."""
        if not self._waiting_runs and not self._probes:
            self._inbox.get()()
        while not self._inbox.empty():
            self._inbox.get()()
        self._take_steps()

    def _mark_closed(self) -> None:
        self._is_open = False

    def _enqueue(self, request: Request) -> None:
        self._queued_requests.append(request)
        self._begin_queued()

    def _begin_queued(self) -> None:
        """Begin pictures as long as there is room for the next one's model; those with a loaded model may go first."""
        while self._queued_requests:
            waiting = [(request.order.model.name, request.submitted_at) for request in self._queued_requests]
            next_one = index_to_begin(waiting, self._pipelines.resident_names, time.monotonic())
            request = self._queued_requests[next_one]
            try:
                if request.should_stop():
                    raise GenerationStopped
                if not self._begin_run(request):
                    return
            except ModelThrownAway:
                continue
            except Exception as error:  # noqa: BLE001 - given to the picture
                self._raise_fault(error)
                request.future.set_exception(self._client_error(error, request.order))
            del self._queued_requests[next_one]

    def _begin_run(self, request: Request) -> bool:
        """Load the model and run the picture up to its first denoising call; false while there is no room for the
        model beside those that are in use."""
        order, started = request.order, time.perf_counter()
        busy = {run.resident.model.name for run in self._runs.values()}
        resident = self._pipelines.get(order.model, order.folder, busy)
        if resident is None:
            return False
        resident.textual_inversions.load(
            tuple(dict.fromkeys(word for one in order.denoising_orders for word in one.textual_inversions))
        )
        order = self._annotators.prepare_maps(order)
        seen = self._image_embeds(resident, order)
        load = time.perf_counter() - started
        pipeline = resident.variants.pipeline_for(order)

        def body(ask: Callable[[CallRequest | StepRequest], Any]) -> Any:
            def asked(said: CallRequest | StepRequest) -> Any:
                # A picture that was alone in its call has nobody to step with.
                return said.run() if isinstance(said, StepRequest) and not run.shared_last_call else ask(said)

            return run_stages(run, order, pipeline, seen, asked, self._networks)

        self._last_number += 1
        run = Run(
            self._last_number,
            request,
            resident,
            PipelineThread(body, f"picture-{self._last_number}"),
            stage_seconds={"load": load},
        )
        self._runs[run.number] = run
        self._resume(run)
        return True

    def _image_embeds(self, resident: ResidentModel, order: Order) -> list[torch.Tensor]:
        """What each IP-Adapter of an order sees of its pictures, looked at once for all that follow them."""
        found: list[torch.Tensor] = []
        for adapter in order.ip_adapters:
            pictures = [order.references[position] for position in adapter.prompt_positions]
            blobs = tuple(order.job.pixels.image_prompts[position].blob for position in adapter.prompt_positions)
            look = partial(resident.ip_adapters.embed_pictures, adapter, pictures, len(order.ip_adapters))
            found.append(self._encoder_cache.get((resident.number, adapter.file, blobs), look))
        return found

    def _resume(self, run: Run, answer: Any = None, error: BaseException | None = None) -> None:
        """Give a pipeline thread its answer, and deal with the call it makes next."""
        while True:
            if error is None and run.request.should_stop():
                answer, error = None, GenerationStopped()
            if error is None and run.resident.guard.is_broken:
                answer, error = None, ModelThrownAway()
            started = time.perf_counter()
            run.pending = run.thread.resume(answer, error)
            run.stage = run.pending.stage if isinstance(run.pending, CallRequest) else run.stage
            run.add_seconds(time.perf_counter() - started)
            match run.pending:
                case ThreadResult(value=pixels):
                    self._remove_run(run)
                    run.request.future.set_result(run.drawing(pixels))
                case ThreadFailure(error=ModelThrownAway()):
                    # It begins again with a fresh one.
                    self._queued_requests.append(run.request)
                    self._remove_run(run)
                case ThreadFailure(error=failure):
                    self._raise_fault(failure)
                    self._remove_run(run)
                    run.request.future.set_exception(self._client_error(failure, run.order))
                case StepRequest():
                    self._stepping_runs.append(run)
                case CallRequest(stage="denoise" | "enhance"):
                    run.waiting_since = time.monotonic()
                    self._waiting_runs[run.number] = run
                    if run.request.is_probe and not run.calls:
                        self._prepare_probes(run)
                case CallRequest(stage="decode"):
                    self._decoder.add(run)
                case CallRequest() as said:
                    answer, error = self._timed_answer(run, partial(self._encode, run, said))
                    continue
            return

    def _remove_run(self, run: Run) -> None:
        del self._runs[run.number]
        if self._queued_requests:
            self._inbox.put(self._begin_queued)

    def _encode(self, run: Run, said: CallRequest) -> Any:
        """The answer of a model that is called once or twice for a picture."""
        run.resident.activate_adapters(run.order)
        if said.content is None:
            return said.call.run()
        return self._encoder_cache.get((run.call_key, said.content), said.call.run)

    def _timed_answer(self, run: Run, function: Callable[[], Any]) -> Answer:
        """What `function` returns or raises, its time counted as the picture's."""
        started = time.perf_counter()
        try:
            return function(), None
        except Exception as error:  # noqa: BLE001 - given to the picture
            self._raise_fault(error)
            return None, error
        finally:
            run.add_seconds(time.perf_counter() - started)

    def _drop_stopped(self) -> None:
        for run in [run for run in self._waiting_runs.values() if run.request.should_stop()]:
            del self._waiting_runs[run.number]
            self._resume(run, error=GenerationStopped())

    def _take_steps(self) -> None:
        """Take the steps that schedulers wait for, several at a time where that is possible."""
        groups: dict[Hashable, list[Run]] = {}
        for run in self._stepping_runs:
            kind = batched_step_of(run.pending)
            groups.setdefault((kind, run.pending.sample.shape[1:]) if kind else run.number, []).append(run)
        self._stepping_runs = []
        for runs in groups.values():
            for run, (answer, error) in zip(runs, self._step_group(runs), strict=True):
                self._resume(run, answer, error)

    def _step_group(self, runs: Sequence[Run]) -> list[Answer]:
        first, started = runs[0], time.perf_counter()
        kind = batched_step_of(first.pending)
        if kind is None or len(runs) == 1:
            return [self._timed_answer(run, run.pending.run) for run in runs]
        latents = step_together(kind, [run.pending for run in runs])
        for run in runs:
            run.add_seconds((time.perf_counter() - started) / len(runs))
        return [((one,), None) for one in latents]

    def _make_next_call(self) -> None:
        """Make the next denoising call."""
        standing = [self._candidate(run) for run in self._waiting_runs.values()]
        chosen = self._fair_share.next_call(standing, self._sizes.rows_for_next_call, time.monotonic())
        runs = [self._waiting_runs.pop(one.number) for one in chosen]
        rows = sum(run.pending.call.rows for run in runs)
        wanted = (runs[0].bucket("denoise") or 0) * runs[0].bucket_unit
        self._make_call(runs, max(wanted, rows) if wanted or len(runs) == 1 else self._sizes.padded_size(rows))
        self._take_steps()

    def _candidate(self, run: Run) -> WaitingRun:
        rows = run.pending.call.rows
        return WaitingRun(
            number=run.number,
            client=run.request.order.job.client_id,
            key=run.call_key,
            interactive=run.request.order.job.priority == "interactive",
            since=run.waiting_since,
            rows=rows,
            cost_ms=self._sizes.cost_ms(run.call_key, max(rows, 1)),
            alone=rows == 0 or run.bucket("denoise") is not None,
        )

    def _make_call(self, runs: Sequence[Run], size: int) -> None:
        """One denoising call of `size` rows for all of `runs`."""
        key, started, counted = runs[0].call_key, time.perf_counter(), self._clock()
        together = [run.pending.call for run in runs]
        try:
            if runs[0].pending.stage == "denoise":
                runs[0].resident.activate_adapters(runs[0].order)
        except Exception as error:  # noqa: BLE001 - given to all pictures, since they share the adapters
            self._raise_fault(error)
            for run in runs:
                self._resume(run, error=error)
            return
        try:
            weights = getattr(together[0].function, "dtype", None)
            with self._utilisation.count_call(key, size, weights), self._eager_if_required(runs[0]):
                answers = model_calls.run_shared(together, size)
                self._wait_for_device()
        except Exception as error:  # noqa: BLE001 - given to the pictures
            self._after_failure(runs, size, error)
            return
        seconds, peak, utilisation = (
            time.perf_counter() - started,
            self._gauge.take_peak_memory(),
            self._gauge.sample_utilisation(),
        )
        self._sizes.note(key, max(size, 1), self._clock() - counted, peak)
        rows = sum(call.rows for call in together)
        mfu = self._utilisation.mfu_of(key, rows, seconds)
        for run, answer in zip(runs, answers, strict=True):
            if run.pending.stage == "denoise":
                run.record_denoise(size)
            run.shared_last_call = len(runs) > 1
            run.add_seconds(seconds * (run.pending.call.rows / rows if rows else 1))
            run.record_measurements(peak, utilisation, mfu)
            self._resume(run, answer)

    def _eager_if_required(self, run: Run) -> AbstractContextManager[object]:
        eager = self._pipelines.uses_compiler and not run.order.compilable
        return torch.compiler.set_stance("force_eager") if eager else nullcontext()

    def _after_failure(self, runs: Sequence[Run], size: int, error: Exception) -> None:
        """A call failed: its pictures go on with their latents in smaller ones, or the only one is told."""
        self._raise_fault(error)
        if len(runs) == 1:
            if errors.is_out_of_memory(error):
                self._release_memory()
            self._resume(runs[0], error=error)
        elif errors.is_out_of_memory(error):
            self._release_memory()
            self._sizes.shrink(runs[0].call_key, size)
            self._waiting_runs.update({run.number: run for run in runs})
        else:
            # One of them may be the cause, and the others shall not suffer.
            for run in runs:
                self._make_call([run], run.pending.call.rows)

    def _prepare_probes(self, run: Run) -> None:
        """Look for the knee of such calls while there is nothing else to do."""
        key, call = run.call_key, run.pending.call

        def probe(size: int) -> None:
            if size > self._sizes.rows_for_next_call(key):
                return
            started = self._clock()
            try:
                run.resident.activate_adapters(run.order)
                model_calls.run_shared([call], size)
                self._wait_for_device()
            except Exception as error:  # noqa: BLE001 - only a convenience
                self._raise_fault(error)
                self._release_memory()
                self._sizes.shrink(key, size)
            else:
                self._sizes.note(key, size, self._clock() - started, self._gauge.take_peak_memory())

        if call.rows:
            self._probes.extend(
                partial(probe, size) for size in self._sizes.pinned if size >= call.rows for _ in range(MIN_CALLS)
            )

    def _client_error(self, error: BaseException, order: Order) -> BaseException:
        """An error in words of the order."""
        if errors.is_compiler_error(error):
            return errors.not_compiled_error(order.model, error)
        if not errors.is_out_of_memory(error):
            return error
        self._release_memory()
        pixels = order.job.pixels
        return errors.out_of_memory_error(order.model, str(self._device), pixels.width, pixels.height)

    def _raise_fault(self, error: BaseException) -> None:
        if errors.is_device_fault(error):
            raise error

    def _wait_for_device(self) -> None:
        """Wait until the device has done what was asked of it, so that its time can be told."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _release_memory(self) -> None:
        self._encoder_cache.clear()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
