"""Samplers by the names people use, and the diffusers scheduler that each of them is.

Pure module: schedulers are named, not imported. Each picture gets a fresh one, because `step` changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocol.errors import Refused
from protocol.nearest import nearest


@dataclass(frozen=True)
class Scheduler:
    """A diffusers scheduler class and the options that override the model's own scheduler configuration."""

    name: str
    options: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Sampler:
    """`diffusion` serves models that predict noise or velocity, `flow` those trained by flow matching; null where the
    sampler is not defined. A family of models names those that its pipelines cannot drive (`unfit_samplers`).

    `ancestral` samplers add fresh noise of the seed at each step, so that pictures go on changing with more steps; the
    others converge. `calls_per_step` is how often the model is asked in each step but the last."""

    name: str
    diffusion: Scheduler | None
    flow: Scheduler | None = None
    aliases: tuple[str, ...] = ()
    ancestral: bool = False
    calls_per_step: int = 1


_MULTISTEP, _SINGLESTEP = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
_2M = {"algorithm_type": "dpmsolver++", "solver_order": 2}
_2M_SDE = {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}
_3M_SDE = {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}
_SDE = {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}
_KARRAS = {"use_karras_sigmas": True}
_PLAIN = {"use_karras_sigmas": False}
_FLOW = {"use_flow_sigmas": True, "prediction_type": "flow_prediction"}

SAMPLERS: tuple[Sampler, ...] = (
    Sampler(
        "DPM++ 2M Karras",
        Scheduler(_MULTISTEP, {**_2M, **_KARRAS}),
        aliases=("dpmpp_2m_karras", "k_dpmpp_2m_karras", "k_dpmpp_2m_ka"),
    ),
    Sampler(
        "DPM++ 2M",
        Scheduler(_MULTISTEP, {**_2M, **_PLAIN}),
        Scheduler(_MULTISTEP, {**_2M, **_FLOW}),
        aliases=("dpmpp_2m", "k_dpmpp_2m"),
    ),
    Sampler(
        "DPM++ 2M SDE Karras",
        Scheduler(_MULTISTEP, {**_2M_SDE, **_KARRAS}),
        aliases=("dpmpp_2m_sde_karras", "k_dpmpp_2m_sde_ka"),
        ancestral=True,
    ),
    Sampler(
        "DPM++ 2M SDE",
        Scheduler(_MULTISTEP, {**_2M_SDE, **_PLAIN}),
        Scheduler(_MULTISTEP, {**_2M_SDE, **_FLOW}),
        aliases=("dpmpp_2m_sde", "k_dpmpp_2m_sde", "dpmpp_2m_sde_gpu"),
        ancestral=True,
    ),
    Sampler(
        "DPM++ 3M SDE Karras",
        Scheduler(_MULTISTEP, {**_3M_SDE, **_KARRAS}),
        aliases=("dpmpp_3m_sde_karras",),
        ancestral=True,
    ),
    Sampler(
        "DPM++ 3M SDE",
        Scheduler(_MULTISTEP, {**_3M_SDE, **_PLAIN}),
        aliases=("dpmpp_3m_sde", "k_dpmpp_3m_sde", "dpmpp_3m_sde_gpu"),
        ancestral=True,
    ),
    Sampler(
        "DPM++ SDE Karras",
        Scheduler(_SINGLESTEP, {**_SDE, **_KARRAS}),
        aliases=("dpmpp_sde_karras", "k_dpmpp_sde_ka"),
        ancestral=True,
    ),
    Sampler(
        "DPM++ SDE",
        Scheduler(_SINGLESTEP, {**_SDE, **_PLAIN}),
        aliases=("dpmpp_sde", "k_dpmpp_sde", "dpmpp_sde_gpu"),
        ancestral=True,
    ),
    Sampler(
        "Euler",
        Scheduler("EulerDiscreteScheduler"),
        Scheduler("FlowMatchEulerDiscreteScheduler"),
        aliases=("k_euler", "flow euler", "flowmatch euler", "euler simple"),
    ),
    Sampler(
        "Euler SGM Uniform",
        Scheduler("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
        aliases=("euler trailing",),
    ),
    Sampler(
        "Euler a",
        Scheduler("EulerAncestralDiscreteScheduler"),
        aliases=("euler ancestral", "k_euler_a", "k_euler_ancestral"),
        ancestral=True,
    ),
    Sampler(
        "Heun",
        Scheduler("HeunDiscreteScheduler"),
        Scheduler("FlowMatchHeunDiscreteScheduler"),
        aliases=("k_heun", "flowmatch heun"),
        calls_per_step=2,
    ),
    Sampler(
        "DPM2 Karras",
        Scheduler("KDPM2DiscreteScheduler", _KARRAS),
        aliases=("k_dpm_2_ka", "dpm_2_karras"),
        calls_per_step=2,
    ),
    Sampler("DPM2", Scheduler("KDPM2DiscreteScheduler"), aliases=("k_dpm_2", "dpm_2"), calls_per_step=2),
    Sampler(
        "DPM2 a Karras",
        Scheduler("KDPM2AncestralDiscreteScheduler", _KARRAS),
        aliases=("k_dpm_2_a_ka", "dpm_2_ancestral_karras"),
        ancestral=True,
        calls_per_step=2,
    ),
    Sampler(
        "DPM2 a",
        Scheduler("KDPM2AncestralDiscreteScheduler"),
        aliases=("dpm2 ancestral", "k_dpm_2_ancestral", "k_dpm_2_a", "dpm_2_ancestral"),
        ancestral=True,
        calls_per_step=2,
    ),
    Sampler(
        "UniPC",
        Scheduler("UniPCMultistepScheduler"),
        Scheduler("UniPCMultistepScheduler", _FLOW),
        aliases=("uni_pc", "uni_pc_bh2"),
    ),
    Sampler("DEIS", Scheduler("DEISMultistepScheduler")),
    Sampler("DDIM", Scheduler("DDIMScheduler"), aliases=("ddim_uniform",)),
    Sampler("DDPM", Scheduler("DDPMScheduler"), ancestral=True),
    Sampler("PNDM", Scheduler("PNDMScheduler", {"skip_prk_steps": True}), aliases=("plms",)),
    Sampler("LCM", Scheduler("LCMScheduler"), Scheduler("FlowMatchLCMScheduler"), ancestral=True),
    Sampler("TCD", Scheduler("TCDScheduler"), ancestral=True),
)
"""Every sampler, in the order of listings.

DPM++ SDE is the singlestep solver, since diffusers' port of k-diffusion's own needs `torchsde`; LMS needs scipy. Left
out because a model that knows the answer is not led to it: IPNDM, DEIS on flow models (diffusers 0.42)."""


ZERO_SNR_SCHEDULERS = frozenset(
    {
        "DDIMScheduler",
        "DDPMScheduler",
        "DPMSolverMultistepScheduler",
        "EulerAncestralDiscreteScheduler",
        "EulerDiscreteScheduler",
        "LCMScheduler",
        "TCDScheduler",
        "UniPCMultistepScheduler",
    }
)
"""Those that begin from noise alone where a model was trained so (`rescale_betas_zero_snr`); others ignore it."""

ALIASES = {alias: sampler.name for sampler in SAMPLERS for alias in sampler.aliases}
"""Names that other programs have for samplers -> our own."""


def _key(name: str) -> str:
    return "".join(character for character in name.lower().replace("++", "pp") if character.isalnum())


_BY_KEY = {_key(name): sampler for sampler in SAMPLERS for name in (sampler.name, *sampler.aliases)}


def find(name: str, path: str | None = None) -> Sampler:
    """The sampler of a name, whatever its case, spaces and underscores.

    Raises:
        Refused: there is none; the hint gives the nearest name.
    """
    sampler = _BY_KEY.get(_key(name))
    if sampler is None:
        raise Refused(
            "not_installed",
            f"the sampler {name[:64]!r} is not known",
            path=path,
            hint=nearest(name, (known.name for known in SAMPLERS)),
        )
    return sampler


def portable_configuration(own: Mapping[str, object]) -> dict[str, object]:
    """A model's scheduler configuration as other schedulers read it: diffusers' flow schedulers keep the shift of the
    noise levels under `shift`, its solvers under `flow_shift`."""
    return {**own, "flow_shift": own["shift"]} if "shift" in own else dict(own)
