"""Stable Diffusion 1.x, and models of its shape such as the pocket model."""

from agents.generator.architectures.architecture import Architecture, Pipelines
from agents.generator.architectures.file_marks import FileMarks

STABLE_DIFFUSION = Architecture(
    name="stable_diffusion",
    pipelines=Pipelines(
        noise="StableDiffusionPipeline",
        picture="StableDiffusionImg2ImgPipeline",
        noise_with_control="StableDiffusionControlNetPipeline",
        picture_with_control="StableDiffusionControlNetImg2ImgPipeline",
        sequence="AnimateDiffPipeline",
    ),
    denoiser="UNet2DConditionModel",
    shared_models={"UNet2DConditionModel": (), "ControlNetModel": ()},
    latent_stride=8,
    ip_adapters=True,
    reads_weights=True,
    files=FileMarks(
        platform="stable_diffusion_1_5",
        base_models=dict.fromkeys(("stable-diffusion-v1", "sd_v1", "sd 1."), "stable_diffusion_1_5"),
        # 1024 would be Stable Diffusion 2.
        text_width=768,
        encoder_widths=(768,),
    ),
)
