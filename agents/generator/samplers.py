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
    """`diffusion` serves models that predict noise or velocity, `flow` those trained by flow matching; null
    where the sampler is not defined."""

    name: str
    diffusion: Scheduler | None
    flow: Scheduler | None = None
    aliases: tuple[str, ...] = ()


_DPMPP_2M = {"algorithm_type": "dpmsolver++", "solver_order": 2}
_DPMPP_2M_SDE = {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}
_KARRAS = {"use_karras_sigmas": True}

SAMPLERS: tuple[Sampler, ...] = (
    Sampler(
        "DPM++ 2M Karras",
        Scheduler("DPMSolverMultistepScheduler", {**_DPMPP_2M, **_KARRAS}),
        aliases=("dpmpp_2m_karras", "k_dpmpp_2m_karras"),
    ),
    Sampler(
        "DPM++ 2M",
        Scheduler("DPMSolverMultistepScheduler", {**_DPMPP_2M, "use_karras_sigmas": False}),
        aliases=("dpmpp_2m", "k_dpmpp_2m"),
    ),
    Sampler(
        "DPM++ 2M SDE Karras",
        Scheduler("DPMSolverMultistepScheduler", {**_DPMPP_2M_SDE, **_KARRAS}),
        aliases=("dpmpp_2m_sde_karras",),
    ),
    Sampler(
        "DPM++ 2M SDE",
        Scheduler("DPMSolverMultistepScheduler", {**_DPMPP_2M_SDE, "use_karras_sigmas": False}),
        aliases=("dpmpp_2m_sde",),
    ),
    Sampler(
        "Euler",
        Scheduler("EulerDiscreteScheduler"),
        Scheduler("FlowMatchEulerDiscreteScheduler"),
        aliases=("k_euler", "flow euler", "flowmatch euler"),
    ),
    Sampler(
        "Euler a",
        Scheduler("EulerAncestralDiscreteScheduler"),
        aliases=("euler ancestral", "k_euler_a", "k_euler_ancestral"),
    ),
    Sampler(
        "Heun",
        Scheduler("HeunDiscreteScheduler"),
        aliases=("k_heun",),
    ),
    Sampler("DPM2", Scheduler("KDPM2DiscreteScheduler"), aliases=("k_dpm_2",)),
    Sampler(
        "DPM2 a",
        Scheduler("KDPM2AncestralDiscreteScheduler"),
        aliases=("dpm2 ancestral", "k_dpm_2_ancestral"),
    ),
    Sampler(
        "UniPC",
        Scheduler("UniPCMultistepScheduler"),
        aliases=("uni_pc",),
    ),
    Sampler("DEIS", Scheduler("DEISMultistepScheduler")),
    Sampler("DDIM", Scheduler("DDIMScheduler")),
    Sampler("DDPM", Scheduler("DDPMScheduler")),
    Sampler("PNDM", Scheduler("PNDMScheduler", {"skip_prk_steps": True}), aliases=("plms",)),
    Sampler("LCM", Scheduler("LCMScheduler")),
    Sampler("TCD", Scheduler("TCDScheduler")),
)
"""Every sampler, in the order of listings. Those that need `torchsde` are left out. Flow-matching pipelines give the
scheduler their own sigmas, which of these only Euler's scheduler takes with the model's shift."""


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
