"""Which class of diffusers makes which kind of picture, by architecture. Pure module."""

from typing import NamedTuple

from agents.generator.registry.entries import Architecture


class PipelineClasses(NamedTuple):
    """Pipelines from noise and from a picture, each alone and along a ControlNet; null where there is none."""

    from_noise: str
    from_picture: str | None = None
    from_noise_with_control: str | None = None
    from_picture_with_control: str | None = None


CLASSES: dict[Architecture, PipelineClasses] = {
    "stable_diffusion": PipelineClasses(
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionControlNetPipeline",
        "StableDiffusionControlNetImg2ImgPipeline",
    ),
    "stable_diffusion_xl": PipelineClasses(
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLControlNetPipeline",
        "StableDiffusionXLControlNetImg2ImgPipeline",
    ),
    "stable_diffusion_3": PipelineClasses("StableDiffusion3Pipeline", "StableDiffusion3Img2ImgPipeline"),
    "flux": PipelineClasses("FluxPipeline", "FluxImg2ImgPipeline"),
    # Its pipeline from pictures expects an autoencoder that the model does not have (pipeline_kandinsky3_img2img.py).
    "kandinsky_3": PipelineClasses("Kandinsky3Pipeline"),
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


def pipeline_class_for(architecture: Architecture, *, picture: bool, along: bool) -> str | None:
    """The class that starts from a picture or from noise, along a ControlNet or not; null where there is none."""
    classes = CLASSES[architecture]
    if picture:
        return classes.from_picture_with_control if along else classes.from_picture
    return classes.from_noise_with_control if along else classes.from_noise
