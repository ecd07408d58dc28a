# pyright: basic, reportPrivateImportUsage=false
"""Samplers: found by any name, led by a model that knows the answer to that answer, noisy only where they say so."""

import inspect
from collections.abc import Mapping
from typing import Any

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from agents.generator.registry import samplers
from agents.generator.registry.entries import scheduler_of
from agents.generator.registry.samplers import SAMPLERS, Sampler, Scheduler
from protocol.errors import AcpError

ANSWER = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0)) * 0.5
DIFFUSION = DDIMScheduler(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    clip_sample=False,
    set_alpha_to_one=False,
    steps_offset=1,
).config
FLOW = FlowMatchEulerDiscreteScheduler(shift=3.0).config
BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
LOG_SIGNAL = torch.cumprod(1 - BETAS, 0).log()


def knowing(sample: torch.Tensor, timestep: torch.Tensor, flow: bool) -> torch.Tensor:
    """What a model says that knows the answer: the noise in a sample, or the velocity for a flow model."""
    if flow:
        return (sample - ANSWER) / max(float(timestep) / 1000, 1e-6)
    below, part = divmod(float(timestep), 1)
    above = min(int(below) + 1, 999)
    # Between whole timesteps the schedulers interpolate the noise level in its logarithm.
    signal = ((1 - part) * LOG_SIGNAL[int(below)] + part * LOG_SIGNAL[above]).exp()
    return (sample - signal.sqrt() * ANSWER) / (1 - signal).sqrt()


def sampled(scheduler: Scheduler, base: Mapping[str, Any], seed: int = 1) -> tuple[list[torch.Tensor], int]:
    """The samples of eight steps and the number of calls of the model."""
    flow = base is FLOW
    running = getattr(diffusers, scheduler.name).from_config(samplers.portable_configuration(base), **scheduler.options)
    running.set_timesteps(8)
    sample = torch.randn(ANSWER.shape, generator=torch.Generator().manual_seed(5)) * getattr(
        running, "init_noise_sigma", 1.0
    )
    options = {}
    if "generator" in inspect.signature(running.step).parameters:
        options["generator"] = torch.Generator().manual_seed(seed)
    samples = []
    for timestep in running.timesteps:
        shown = running.scale_model_input(sample, timestep) if hasattr(running, "scale_model_input") else sample
        sample = running.step(knowing(shown, timestep, flow), timestep, sample, **options)[0]
        samples.append(sample)
    return samples, len(running.timesteps)


CASES = [
    pytest.param(sampler, scheduler, base, id=f"{sampler.name} {kind}")
    for sampler in SAMPLERS
    for kind, scheduler, base in (("diffusion", sampler.diffusion, DIFFUSION), ("flow", sampler.flow, FLOW))
    if scheduler
]


@pytest.mark.parametrize(("sampler", "scheduler", "base"), CASES)
def test_a_model_that_knows_the_picture_is_led_to_it(sampler: Sampler, scheduler: Scheduler, base: Mapping[str, Any]):
    samples, calls = sampled(scheduler, base)
    # Samplers that end at the lowest noise level of the training instead of at none keep 0.03 of the noise.
    assert (samples[-1] - ANSWER).abs().max() < 0.15
    assert calls == (8 if sampler.calls_per_step == 1 else 15) + (sampler.name == "PNDM")


@pytest.mark.parametrize(("sampler", "scheduler", "base"), CASES)
def test_only_ancestral_samplers_draw_noise_and_they_draw_it_from_the_seed(
    sampler: Sampler, scheduler: Scheduler, base: Mapping[str, Any]
):
    first, again, other = (sampled(scheduler, base, seed)[0] for seed in (1, 1, 2))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert any(not torch.equal(one, two) for one, two in zip(first, other, strict=True)) == sampler.ancestral


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("dpm++ 2m karras", "DPM++ 2M Karras"),
        ("DPMPP_2M_KARRAS", "DPM++ 2M Karras"),
        ("dpmpp_sde", "DPM++ SDE"),
        ("k_dpm_2_a", "DPM2 a"),
        ("euler a", "Euler a"),
        ("Euler Ancestral", "Euler a"),
        ("euler_sgm_uniform", "Euler SGM Uniform"),
        ("Euler", "Euler"),
        ("unipc", "UniPC"),
        ("uni_pc_bh2", "UniPC"),
        ("plms", "PNDM"),
    ],
)
def test_samplers_are_found_however_people_write_them(asked: str, name: str):
    assert samplers.find(asked).name == name


def test_no_two_samplers_share_a_name():
    assert all(samplers.find(name) is one for one in SAMPLERS for name in (one.name, *one.aliases))


def test_an_unknown_sampler_is_answered_with_the_nearest():
    with pytest.raises(AcpError) as unknown:
        samplers.find("DPM++ 2M Karas", "$.sampler")
    assert unknown.value.body.hint == "did you mean DPM++ 2M Karras?"
    assert unknown.value.body.path == "$.sampler"


@pytest.mark.parametrize(
    ("name", "architecture", "scheduler"),
    [
        ("Heun", "stable_diffusion_xl", "HeunDiscreteScheduler"),
        ("Heun", "stable_diffusion_3", "FlowMatchHeunDiscreteScheduler"),
        ("Heun", "flux", None),
        ("DPM++ 2M", "flux", None),
        ("UniPC", "flux", "UniPCMultistepScheduler"),
        ("Euler a", "flux", None),
    ],
)
def test_a_sampler_means_what_the_architecture_can_take(name: str, architecture: Any, scheduler: str | None):
    found = scheduler_of(samplers.find(name), architecture)
    assert (found.name if found else None) == scheduler
