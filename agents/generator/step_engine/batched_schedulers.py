# pyright: basic, reportPrivateImportUsage=false, reportAttributeAccessIssue=false
"""Steps of several schedulers at once, for the three samplers that most pictures use; bit for bit what each scheduler
computes by itself, on a CPU in float32.

Every coefficient is computed by the scheduler's own operations on numbers without dimensions, then the latents by the
same operations in the same order on tensors with a row for each picture. On a GPU, and in half precision, numbers
without dimensions are rounded in another way, so schedulers step one by one there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler

from agents.generator.step_engine.model_proxies import StepRequest

Coefficients = tuple[float, ...]


@dataclass(frozen=True)
class _BatchedStep:
    """A step that can be taken for several pictures. `history` is how many earlier predictions it reads."""

    coefficients: Callable[[Any], Coefficients]
    update: Callable[..., tuple[torch.Tensor, ...]]
    history: int = 0


def batched_step_of(step: StepRequest) -> _BatchedStep | None:
    """Which steps may be taken together with this one; null where it has to be taken by itself."""
    scheduler, output = step.scheduler, step.model_output
    if output.device.type != "cpu" or output.dtype != torch.float32 or step.sample.dtype != torch.float32:
        return None
    if set(step.options) - {"return_dict", "generator"} or step.options.get("return_dict", True):
        return None
    if type(scheduler) not in (EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler, DPMSolverMultistepScheduler):
        # By class, not by `isinstance`: a scheduler that inherits may step otherwise.
        return None
    _ensure_step_index(step)
    prediction = scheduler.config.get("prediction_type")
    if type(scheduler) is EulerDiscreteScheduler:
        return {"epsilon": _EULER, "v_prediction": _EULER_V}.get(prediction)
    if type(scheduler) is FlowMatchEulerDiscreteScheduler:
        return None if scheduler.config.stochastic_sampling else _FLOW_EULER
    return _DPMPP_2M.get((prediction, 1 if _is_first_order(scheduler) else 2)) if _is_dpmpp_2m(scheduler) else None


def step_together(kind: _BatchedStep, steps: Sequence[StepRequest]) -> list[torch.Tensor]:
    """The next latents of each; all are of one kind and shape. Each scheduler ends in the state that its own `step`
    would have left it in."""
    for step in steps:
        _ensure_step_index(step)
    rows = [step.sample.shape[0] for step in steps]
    sample = torch.cat([step.sample for step in steps])
    output = torch.cat([step.model_output for step in steps])
    table = zip(*(kind.coefficients(step.scheduler) for step in steps), strict=True)
    dimensions = (1,) * (sample.dim() - 1)
    columns = [
        torch.tensor([value for value, count in zip(column, rows, strict=True) for _ in range(count)]).view(
            -1, *dimensions
        )
        for column in table
    ]
    history = [torch.cat([step.scheduler.model_outputs[-1] for step in steps])] if kind.history else []
    latents, *predictions = kind.update(sample, output, *columns, *history)
    for number, step in enumerate(steps):
        scheduler = step.scheduler
        for prediction in predictions:
            part = prediction.split(rows)[number]
            scheduler.model_outputs = [*scheduler.model_outputs[1:], part]
            scheduler.lower_order_nums = min(scheduler.lower_order_nums + 1, scheduler.config.solver_order)
        scheduler._step_index += 1
    return list(latents.split(rows))


def _ensure_step_index(step: StepRequest) -> None:
    if step.scheduler.step_index is None:
        step.scheduler._init_step_index(step.timestep)


def _euler_coefficients(scheduler: Any) -> Coefficients:
    sigma = scheduler.sigmas[scheduler.step_index]
    sigma_hat = sigma * 1.0
    dt = scheduler.sigmas[scheduler.step_index + 1] - sigma_hat
    return sigma_hat.item(), dt.item()


def _euler(sample: torch.Tensor, output: torch.Tensor, sigma: torch.Tensor, dt: torch.Tensor) -> tuple[torch.Tensor]:
    """`EulerDiscreteScheduler.step` for predictions of noise."""
    original = sample - sigma * output
    derivative = (sample - original) / sigma
    return (sample + derivative * dt,)


def _euler_v_coefficients(scheduler: Any) -> Coefficients:
    sigma = scheduler.sigmas[scheduler.step_index]
    out, skip = -sigma / (sigma**2 + 1) ** 0.5, sigma**2 + 1
    return *_euler_coefficients(scheduler), out.item(), skip.item()


def _euler_v(
    sample: torch.Tensor,
    output: torch.Tensor,
    sigma: torch.Tensor,
    dt: torch.Tensor,
    out: torch.Tensor,
    skip: torch.Tensor,
) -> tuple[torch.Tensor]:
    """`EulerDiscreteScheduler.step` for predictions of velocity."""
    original = output * out + sample / skip
    derivative = (sample - original) / sigma
    return (sample + derivative * dt,)


def _flow_coefficients(scheduler: Any) -> Coefficients:
    dt = scheduler.sigmas[scheduler.step_index + 1] - scheduler.sigmas[scheduler.step_index]
    return (dt.item(),)


def _flow(sample: torch.Tensor, output: torch.Tensor, dt: torch.Tensor) -> tuple[torch.Tensor]:
    """`FlowMatchEulerDiscreteScheduler.step`."""
    return (sample + dt * output,)


def _is_dpmpp_2m(scheduler: Any) -> bool:
    config = scheduler.config
    return (
        config.algorithm_type == "dpmsolver++"
        and config.solver_order == 2
        and config.solver_type == "midpoint"
        and not config.thresholding
        and config.variance_type not in ("learned", "learned_range")
    )


def _is_first_order(scheduler: Any) -> bool:
    config, count = scheduler.config, len(scheduler.timesteps)
    final = scheduler.step_index == count - 1 and (
        config.euler_at_final or (config.lower_order_final and count < 15) or config.final_sigmas_type == "zero"
    )
    return scheduler.lower_order_nums < 1 or final


def _prediction_coefficients(scheduler: Any) -> Coefficients:
    alpha, sigma = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[scheduler.step_index])
    return alpha.item(), sigma.item()


def _first_coefficients(scheduler: Any) -> Coefficients:
    index = scheduler.step_index
    alpha_t, sigma_t = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[index + 1])
    alpha_s, sigma_s = scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[index])
    h = (torch.log(alpha_t) - torch.log(sigma_t)) - (torch.log(alpha_s) - torch.log(sigma_s))
    kept, added = sigma_t / sigma_s, alpha_t * (torch.exp(-h) - 1.0)
    return *_prediction_coefficients(scheduler), kept.item(), added.item()


def _second_coefficients(scheduler: Any) -> Coefficients:
    index = scheduler.step_index
    (alpha_t, sigma_t), (alpha_0, sigma_0), (alpha_1, sigma_1) = (
        scheduler._sigma_to_alpha_sigma_t(scheduler.sigmas[at]) for at in (index + 1, index, index - 1)
    )
    lambda_t = torch.log(alpha_t) - torch.log(sigma_t)
    lambda_0 = torch.log(alpha_0) - torch.log(sigma_0)
    lambda_1 = torch.log(alpha_1) - torch.log(sigma_1)
    h, h_0 = lambda_t - lambda_0, lambda_0 - lambda_1
    added = alpha_t * (torch.exp(-h) - 1.0)
    half, slope = 0.5 * added, 1.0 / (h_0 / h)
    kept = sigma_t / sigma_0
    return *_prediction_coefficients(scheduler), kept.item(), added.item(), half.item(), slope.item()


def _from_noise(sample: torch.Tensor, output: torch.Tensor, alpha: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    return (sample - sigma * output) / alpha


def _from_velocity(
    sample: torch.Tensor, output: torch.Tensor, alpha: torch.Tensor, sigma: torch.Tensor
) -> torch.Tensor:
    return alpha * sample - sigma * output


def _from_flow(sample: torch.Tensor, output: torch.Tensor, _alpha: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    return sample - sigma * output


def _dpmpp_first(predict: Callable[..., torch.Tensor]) -> Callable[..., tuple[torch.Tensor, ...]]:
    """`DPMSolverMultistepScheduler.dpm_solver_first_order_update` after `convert_model_output`."""

    def update(sample: torch.Tensor, output: torch.Tensor, *columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
        alpha, sigma, kept, added = columns
        prediction = predict(sample, output, alpha, sigma)
        return kept * sample - added * prediction, prediction

    return update


def _dpmpp_second(predict: Callable[..., torch.Tensor]) -> Callable[..., tuple[torch.Tensor, ...]]:
    """`DPMSolverMultistepScheduler.multistep_dpm_solver_second_order_update` after `convert_model_output`."""

    def update(sample: torch.Tensor, output: torch.Tensor, *columns: torch.Tensor) -> tuple[torch.Tensor, ...]:
        alpha, sigma, kept, added, half, slope, before = columns
        prediction = predict(sample, output, alpha, sigma)
        change = slope * (prediction - before)
        return kept * sample - added * prediction - half * change, prediction

    return update


_EULER = _BatchedStep(_euler_coefficients, _euler)
_EULER_V = _BatchedStep(_euler_v_coefficients, _euler_v)
_FLOW_EULER = _BatchedStep(_flow_coefficients, _flow)
_DPMPP_2M = {
    (prediction, order): kind
    for prediction, predict in (
        ("epsilon", _from_noise),
        ("v_prediction", _from_velocity),
        ("flow_prediction", _from_flow),
    )
    for order, kind in (
        (1, _BatchedStep(_first_coefficients, _dpmpp_first(predict))),
        (2, _BatchedStep(_second_coefficients, _dpmpp_second(predict), history=1)),
    )
}
