# pyright: basic, reportArgumentType=false
"""A pipeline for one picture, around models that all share: calls of a model become calls of the device's thread."""

import copy
import functools
import hashlib
import inspect
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from agents.generator.architectures.architecture import Architecture
from agents.generator.step_engine.model_calls import ModelCall, map_tensors, match_layout, shareable_call
from agents.generator.step_engine.precision import picture_dtype, to_picture_dtype, to_weights_dtype
from agents.generator.step_engine.regional_prompts import RegionalPrompts

CallStage = Literal["encode", "denoise", "decode", "enhance"]

PER_STEP_MODELS = ("unet", "transformer", "controlnet")
"""Names under which pipelines keep the models that they call at every step."""


@dataclass(frozen=True)
class CallRequest:
    """A model call of a picture's run, and the stage that it belongs to: those of its pipeline, or `enhance` for a
    network that is given a finished picture. Calls with the same `content` have the same answer; null where that is not
    known."""

    stage: CallStage
    call: ModelCall
    content: Hashable = None


@dataclass(frozen=True)
class StepRequest:
    """A step of a scheduler, which was asked for as `scheduler.step(model_output, timestep, sample, **options)`."""

    scheduler: Any
    model_output: torch.Tensor
    timestep: Any
    sample: torch.Tensor
    options: dict[str, Any]

    def run(self) -> Any:
        """Take the step as the scheduler does."""
        step = type(self.scheduler).step
        return step(self.scheduler, self.model_output, self.timestep, self.sample, **self.options)


Ask = Callable[[CallRequest | StepRequest], Any]


def pipeline_for_one_picture(
    pipeline: Any, family: Architecture, scheduler: Any, ask: Ask, mixture: RegionalPrompts | None = None
) -> Any:
    """A copy of a pipeline with a scheduler of its own, whose model calls and steps go through `ask`; with a `mixture`,
    rows that it is run with are one picture. Its `family` says which calls may be shared."""
    own = copy.copy(pipeline)
    parts = {
        name: _StandInModel(name, part, family.shared_models, ask, mixture)
        for name, part in pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }
    # Past `__setattr__`, which would write the stand-ins into the pipeline's configuration.
    own.__dict__.update(parts, scheduler=_intercept_steps(scheduler, ask))
    return own


class _StandInModel:
    """Stands for a model: all but its calls and its precision is the model's own. It passes for one of the model's
    class, which pipelines look at."""

    def __init__(
        self,
        name: str,
        model: torch.nn.Module,
        shared_models: Mapping[str, tuple[str, ...]],
        ask: Ask,
        mixture: RegionalPrompts | None,
    ) -> None:
        self._name = name
        self._model: Any = model
        self._arguments_without_rows = shared_models.get(type(model).__name__)
        self._ask = ask
        self._regional_prompts = mixture
        self._content_by_name: dict[str, tuple[torch.Tensor, Hashable]] = {}

    @property
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride] - see the docstring
        return type(self._model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    @property
    def dtype(self) -> torch.dtype:
        """What pipelines keep pictures in."""
        return picture_dtype(self._model.dtype)

    def to(self, *args: Any, **kwargs: Any) -> "_StandInModel":
        """Stay as it is: pipelines widen an autoencoder for a while, which others are using."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments = dict(zip(_forward_parameters(type(self._model)), args, strict=False)) | kwargs
        if self._regional_prompts is None or self._name not in PER_STEP_MODELS:
            return self._call_model(arguments)
        answer = self._call_model(self._regional_prompts.narrow_rows(arguments, self._arguments_without_rows or ()))
        return (
            self._regional_prompts.widen_rows(answer)
            if self._name == "controlnet"
            else self._regional_prompts.mix_rows(answer)
        )

    def _call_model(self, arguments: dict[str, Any]) -> Any:
        model = self._model
        arguments = to_weights_dtype(arguments, model.dtype)
        same = self._arguments_without_rows
        if same is not None:
            held = {name: self._tensor_content(name, arguments[name]) for name in same}
            # Pipelines of one model may have different ControlNets.
            name = f"{self._name} {id(model)}"
            return self._ask_device(CallRequest("denoise", shareable_call(name, model, arguments, held)))
        stage: CallStage = "denoise" if self._name in PER_STEP_MODELS else "encode"
        content = (self._name, _content_key(arguments)) if self._name.startswith("text_encoder") else None
        return self._ask_device(CallRequest(stage, ModelCall(model, arguments, 0, self._name), content))

    def encode(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """An autoencoder's encoder."""
        function = functools.partial(self._model.encode, x.to(self._model.dtype), *args)
        return self._ask_device(CallRequest("encode", ModelCall(function, kwargs)))

    def decode(self, z: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """An autoencoder's decoder."""
        z = (z if self._regional_prompts is None else z[:1]).to(self._model.dtype)
        if type(self._model).__name__ == "AutoencoderKL":
            # Taken and ignored (autoencoder_kl.py, `decode`).
            kwargs.pop("generator", None)
            call = shareable_call(self._name, self._model.decode, {"z": z} | kwargs, {})
        else:
            call = ModelCall(functools.partial(self._model.decode, z, *args), kwargs)
        return self._ask_device(CallRequest("decode", call))

    def _ask_device(self, asked: CallRequest) -> Any:
        return to_picture_dtype(self._ask(asked), self._model.dtype)

    def _tensor_content(self, name: str, tensor: torch.Tensor) -> Hashable:
        """What a tensor holds; read once, because pipelines give the same one at each step."""
        known = self._content_by_name.get(name)
        if known is None or known[0] is not tensor:
            self._content_by_name[name] = known = (tensor, _content_key(tensor))
        return known[1]


@functools.cache
def _forward_parameters(kind: type[torch.nn.Module]) -> tuple[str, ...]:
    """Names of the parameters of a model's `forward`."""
    return tuple(inspect.signature(kind.forward).parameters)[1:]


def _content_key(value: Any) -> Hashable:
    match value:
        case torch.Tensor():
            data = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
            return (tuple(value.shape), value.dtype, hashlib.sha256(data).digest())
        case dict():
            return tuple((key, _content_key(part)) for key, part in sorted(value.items()))
        case _:
            return value


def _intercept_steps(scheduler: Any, ask: Ask) -> Any:
    """The scheduler, whose steps go through `ask`. Pipelines look at the signature of `step`, so it is kept."""

    @functools.wraps(scheduler.step)
    def step(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, **options: Any) -> Any:
        stepped = ask(StepRequest(scheduler, model_output, timestep, sample, options))
        # Steps that are taken together give the layout that companions agree on.
        return map_tensors(stepped, lambda tensor: match_layout(sample, tensor))

    scheduler.__dict__["step"] = step
    return scheduler
