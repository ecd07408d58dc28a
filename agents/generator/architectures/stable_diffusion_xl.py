"""Stable Diffusion XL, and models trained from it such as Pony and Illustrious."""

from agents.generator.architectures.architecture import Architecture, Pipelines
from agents.generator.architectures.file_marks import FileMarks

STABLE_DIFFUSION_XL = Architecture(
    name="stable_diffusion_xl",
    pipelines=Pipelines(
        noise="StableDiffusionXLPipeline",
        picture="StableDiffusionXLImg2ImgPipeline",
        noise_with_control="StableDiffusionXLControlNetPipeline",
        picture_with_control="StableDiffusionXLControlNetImg2ImgPipeline",
    ),
    denoiser="UNet2DConditionModel",
    shared_models={"UNet2DConditionModel": (), "ControlNetModel": ()},
    latent_stride=8,
    # `force_upcast` of its decoder's configuration.
    decoder_overflows_float16=True,
    ip_adapters=True,
    reads_weights=True,
    files=FileMarks(
        platform="stable_diffusion_xl",
        base_models=dict.fromkeys(("stable-diffusion-xl", "sdxl", "pony", "illustrious"), "stable_diffusion_xl"),
        text_width=2048,
        encoder_widths=(768, 1280),
    ),
)
