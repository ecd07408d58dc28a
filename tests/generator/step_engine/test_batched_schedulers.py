# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportAttributeAccessIssue=false
"""Steps taken together are bit for bit those that each scheduler takes by itself."""

import copy
from typing import Any

import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    DPMSolverSinglestepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)

from agents.generator.step_engine.batched_schedulers import batched_step_of, step_together
from agents.generator.step_engine.model_proxies import StepRequest

BETAS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
DPMPP = {**BETAS, "algorithm_type": "dpmsolver++", "solver_order": 2}

SCHEDULERS = {
    "Euler": lambda: EulerDiscreteScheduler(**BETAS),
    "Euler, velocity": lambda: EulerDiscreteScheduler(**BETAS, prediction_type="v_prediction"),
    "Euler, Karras": lambda: EulerDiscreteScheduler(**BETAS, use_karras_sigmas=True),
    "flow Euler": lambda: FlowMatchEulerDiscreteScheduler(shift=3.0),
    "DPM++ 2M": lambda: DPMSolverMultistepScheduler(**DPMPP),
    "DPM++ 2M Karras": lambda: DPMSolverMultistepScheduler(**DPMPP, use_karras_sigmas=True),
    "DPM++ 2M, velocity": lambda: DPMSolverMultistepScheduler(
        **DPMPP, use_karras_sigmas=True, prediction_type="v_prediction"
    ),
    "DPM++ 2M, first order at the end": lambda: DPMSolverMultistepScheduler(**DPMPP, euler_at_final=True),
    "DPM++ 2M, flow": lambda: DPMSolverMultistepScheduler(
        **DPMPP, use_flow_sigmas=True, prediction_type="flow_prediction"
    ),
}


def asked(scheduler: Any, latents: torch.Tensor, seed: int) -> StepRequest:
    """The next step of a picture, whose model says something random."""
    timestep = scheduler.timesteps[scheduler.step_index or 0]
    if hasattr(scheduler, "scale_model_input"):
        scheduler.scale_model_input(latents, timestep)
    output = torch.randn(latents.shape, generator=torch.Generator().manual_seed(seed))
    return StepRequest(scheduler, output, timestep, latents, {"return_dict": False})


@pytest.mark.parametrize("name", SCHEDULERS)
def test_pictures_at_different_steps_of_different_schedules(name: str):
    counts = [3, 8, 20, 31]
    alone = [SCHEDULERS[name]() for _ in counts]
    for scheduler, count in zip(alone, counts, strict=True):
        scheduler.set_timesteps(count)
    together = copy.deepcopy(alone)
    latents = [torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(count)) for count in counts]
    mine = [latent.clone() for latent in latents]
    shared = 0
    for turn in range(max(counts)):
        live = [index for index, count in enumerate(counts) if turn < count]
        steps = {index: asked(together[index], mine[index], 100 * turn + index) for index in live}
        kinds = {index: batched_step_of(step) for index, step in steps.items()}
        for kind in {*kinds.values()} - {None}:
            group = [index for index in live if kinds[index] is kind]
            shared = max(shared, len(group))
            for index, following in zip(group, step_together(kind, [steps[index] for index in group]), strict=True):
                mine[index] = following
        for index in live:
            assert kinds[index] is not None
            latents[index] = asked(alone[index], latents[index], 100 * turn + index).run()[0]
            assert torch.equal(mine[index], latents[index]), (turn, index)
    assert shared > 1


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_scheduler_may_go_on_by_itself_after_steps_taken_together(name: str):
    alone = [SCHEDULERS[name]() for _ in range(2)]
    for scheduler in alone:
        scheduler.set_timesteps(6)
    together = copy.deepcopy(alone)
    latents = [torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]
    steps = [asked(scheduler, latent, 5) for scheduler, latent in zip(together, latents, strict=True)]
    kind = batched_step_of(steps[0])
    assert kind is not None
    mine = step_together(kind, steps)
    for index in range(2):
        following = asked(alone[index], latents[index], 5).run()[0]
        second = asked(together[index], mine[index], 6).run()[0]
        assert torch.equal(second, asked(alone[index], following, 6).run()[0])


@pytest.mark.parametrize(
    "scheduler",
    [
        pytest.param(EulerAncestralDiscreteScheduler(**BETAS), id="draws-noise"),
        pytest.param(DPMSolverSinglestepScheduler(), id="other-class"),
        pytest.param(DPMSolverMultistepScheduler(**BETAS, algorithm_type="sde-dpmsolver++"), id="sde"),
        pytest.param(DPMSolverMultistepScheduler(**BETAS, solver_order=3), id="third-order"),
        pytest.param(FlowMatchEulerDiscreteScheduler(stochastic_sampling=True), id="stochastic-flow"),
    ],
)
def test_other_samplers_step_by_themselves(scheduler: Any):
    scheduler.set_timesteps(4)
    assert batched_step_of(asked(scheduler, torch.zeros(1, 4, 8, 8), 0)) is None


def test_half_precision_steps_by_itself():
    scheduler = EulerDiscreteScheduler(**BETAS)
    scheduler.set_timesteps(4)
    step = asked(scheduler, torch.zeros(1, 4, 8, 8, dtype=torch.bfloat16), 0)
    halved = StepRequest(scheduler, step.model_output.to(torch.bfloat16), step.timestep, step.sample, step.options)
    assert batched_step_of(halved) is None
