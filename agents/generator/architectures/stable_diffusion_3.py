"""Stable Diffusion 3 and 3.5."""

from agents.generator.architectures.architecture import Architecture, Pipelines
from agents.generator.architectures.file_marks import FileMarks, LayerMark

WIDTHS = frozenset({1536, 2432})
"""Widths of the transformers of 3 and 3.5 medium, and of 3.5 large: 24 and 38 heads of 64."""

STABLE_DIFFUSION_3 = Architecture(
    name="stable_diffusion_3",
    pipelines=Pipelines(noise="StableDiffusion3Pipeline", picture="StableDiffusion3Img2ImgPipeline"),
    denoiser="SD3Transformer2DModel",
    shared_models={"SD3Transformer2DModel": ()},
    repeated_blocks=("JointTransformerBlock",),
    latent_stride=8,
    # `max_sequence_length` of its pipelines.
    prompt_tokens=256,
    flow_matching=True,
    files=FileMarks(
        platform="stable_diffusion_3_5",
        base_models=dict.fromkeys(("stable-diffusion-3", "sd3", "sd 3"), "stable_diffusion_3_5"),
        layers=(LayerMark("joint_blocks|add_k_proj", reads=WIDTHS),),
        transformer_prefixes=("joint_blocks.",),
    ),
)
