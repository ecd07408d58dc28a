# pyright: basic, reportArgumentType=false
"""A pipeline for one picture, around models that all share: calls of a model become calls of the device's thread."""

import copy
import functools
import hashlib
import inspect
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Literal

import torch

from agents.generator.step_engine.model_calls import ModelCall, laid_out_as, shareable_call, with_tensors
from agents.generator.step_engine.precision import inward, outside, outward
from agents.generator.step_engine.regional_prompts import Mixture

Stage = Literal["encode", "denoise", "decode", "enhance"]

SHAREABLE: dict[str, tuple[str, ...]] = {
    "UNet2DConditionModel": (),
    "ControlNetModel": (),
    "SD3Transformer2DModel": (),
    "FluxTransformer2DModel": ("img_ids", "txt_ids"),
    "Kandinsky3UNet": (),
}
"""Classes of diffusers whose rows do not see each other -> arguments that have no row dimension and are one for all. In
FLUX they are the positions of pixels and words (transformer_flux.py, `forward`)."""

DENOISERS = ("unet", "transformer", "controlnet")
"""Names under which pipelines keep the models that they call at every step."""


@dataclass(frozen=True)
class Asked:
    """A model call of a picture's run, and the stage that it belongs to: those of its pipeline, or `enhance` for a
    network that is given a finished picture. Calls with the same `content` have the same answer; null where that is not
    known."""

    stage: Stage
    call: ModelCall
    content: Hashable = None


@dataclass(frozen=True)
class Stepped:
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


Ask = Callable[[Asked | Stepped], Any]


def for_one_picture(pipeline: Any, scheduler: Any, ask: Ask, mixture: Mixture | None = None) -> Any:
    """A copy of a pipeline with a scheduler of its own, whose model calls and steps go through `ask`; with a `mixture`,
    rows that it is run with are one picture."""
    own = copy.copy(pipeline)
    parts = {
        name: _Shared(name, part, ask, mixture)
        for name, part in pipeline.components.items()
        if isinstance(part, torch.nn.Module)
    }
    # Past `__setattr__`, which would write the stand-ins into the pipeline's configuration.
    own.__dict__.update(parts, scheduler=_asking(scheduler, ask))
    return own


class _Shared:
    """Stands for a model: all but its calls and its precision is the model's own. It passes for one of the model's
    class, which pipelines look at."""

    def __init__(self, name: str, model: torch.nn.Module, ask: Ask, mixture: Mixture | None) -> None:
        self._name = name
        self._model: Any = model
        self._ask = ask
        self._mixture = mixture
        self._same: dict[str, tuple[torch.Tensor, Hashable]] = {}

    @property
    def __class__(self) -> type:  # pyright: ignore[reportIncompatibleMethodOverride] - see the docstring
        return type(self._model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    @property
    def dtype(self) -> torch.dtype:
        """What pipelines keep pictures in."""
        return outside(self._model.dtype)

    def to(self, *args: Any, **kwargs: Any) -> "_Shared":
        """Stay as it is: pipelines widen an autoencoder for a while, which others are using."""
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arguments = dict(zip(_parameters(type(self._model)), args, strict=False)) | kwargs
        if self._mixture is None or self._name not in DENOISERS:
            return self._answer(arguments)
        answer = self._answer(self._mixture.narrowed(arguments, SHAREABLE.get(type(self._model).__name__, ())))
        return self._mixture.widened(answer) if self._name == "controlnet" else self._mixture.mixed(answer)

    def _answer(self, arguments: dict[str, Any]) -> Any:
        model = self._model
        arguments = inward(arguments, model.dtype)
        same = SHAREABLE.get(type(model).__name__)
        if same is not None:
            held = {name: self._held(name, arguments[name]) for name in same}
            # Pipelines of one model may have different ControlNets.
            name = f"{self._name} {id(model)}"
            return self._told(Asked("denoise", shareable_call(name, model, arguments, held)))
        stage: Stage = "denoise" if self._name in DENOISERS else "encode"
        content = (self._name, _content(arguments)) if self._name.startswith("text_encoder") else None
        return self._told(Asked(stage, ModelCall(model, arguments, 0, self._name), content))

    def encode(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """An autoencoder's encoder."""
        function = functools.partial(self._model.encode, x.to(self._model.dtype), *args)
        return self._told(Asked("encode", ModelCall(function, kwargs)))

    def decode(self, z: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """An autoencoder's decoder."""
        z = (z if self._mixture is None else z[:1]).to(self._model.dtype)
        if type(self._model).__name__ == "AutoencoderKL":
            # Taken and ignored (autoencoder_kl.py, `decode`).
            kwargs.pop("generator", None)
            call = shareable_call(self._name, self._model.decode, {"z": z} | kwargs, {})
        else:
            call = ModelCall(functools.partial(self._model.decode, z, *args), kwargs)
        return self._told(Asked("decode", call))

    def _told(self, asked: Asked) -> Any:
        return outward(self._ask(asked), self._model.dtype)

    def _held(self, name: str, tensor: torch.Tensor) -> Hashable:
        """What a tensor holds; read once, because pipelines give the same one at each step."""
        known = self._same.get(name)
        if known is None or known[0] is not tensor:
            self._same[name] = known = (tensor, _content(tensor))
        return known[1]


@functools.cache
def _parameters(kind: type[torch.nn.Module]) -> tuple[str, ...]:
    """Names of the parameters of a model's `forward`."""
    return tuple(inspect.signature(kind.forward).parameters)[1:]


def _content(value: Any) -> Hashable:
    match value:
        case torch.Tensor():
            data = value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
            return (tuple(value.shape), value.dtype, hashlib.sha256(data).digest())
        case dict():
            return tuple((key, _content(part)) for key, part in sorted(value.items()))
        case _:
            return value


def _asking(scheduler: Any, ask: Ask) -> Any:
    """The scheduler, whose steps go through `ask`. Pipelines look at the signature of `step`, so it is kept."""

    @functools.wraps(scheduler.step)
    def step(model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, **options: Any) -> Any:
        stepped = ask(Stepped(scheduler, model_output, timestep, sample, options))
        # Steps that are taken together give the layout that companions agree on.
        return with_tensors(stepped, lambda tensor: laid_out_as(sample, tensor))

    scheduler.__dict__["step"] = step
    return scheduler
