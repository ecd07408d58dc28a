"""Which class of diffusers makes which kind of picture, by architecture. Pure module."""

from typing import NamedTuple

from agents.generator.registry.entries import Architecture


class Classes(NamedTuple):
    """Pipelines from noise and from a picture, each alone and along a ControlNet; null where there is none."""

    noise: str
    picture: str | None = None
    noise_along: str | None = None
    picture_along: str | None = None


CLASSES: dict[Architecture, Classes] = {
    "stable_diffusion": Classes(
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionControlNetPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
    ),
    "stable_diffusion_xl": Classes(
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline",
    ),
    "stable_diffusion_3": Classes("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
    "flux": Classes("FluxPipeline", "FluxImg2ImgPipeline"),
    # Its pipeline from pictures expects an autoencoder that the model does not have (pipeline_kandinsky3_img2img.py).
    "kandinsky_3": Classes("Kandinsky3Pipeline"),
}

KEEPERS: frozenset[Architecture] = frozenset({"stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3"})
"""Architectures whose latents have the shape of the picture, so that a part of it can be kept at every step. FLUX packs
them."""


FOLLOWERS: frozenset[Architecture] = frozenset({"stable_diffusion", "stable_diffusion_xl"})
"""Architectures whose denoiser an IP-Adapter is mounted on (`pipelines/ip_adapters.py`). Those of FLUX and Stable
Diffusion 3 have formats, encoders and guidance of their own."""

MOVERS: dict[Architecture, str] = {"stable_diffusion": "AnimateDiffPipeline"}
"""Architectures that make sequences with a motion adapter, and the class that does."""

SHARING: frozenset[Architecture] = frozenset(CLASSES)
"""Architectures whose model calls pictures can share (`step_engine/model_proxies.py`)."""


def class_for(architecture: Architecture, *, picture: bool, along: bool) -> str | None:
    """The class that starts from a picture or from noise, along a ControlNet or not; null where there is none."""
    classes = CLASSES[architecture]
    if picture:
        return classes.picture_along if along else classes.picture
    return classes.noise_along if along else classes.noise
