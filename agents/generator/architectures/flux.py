"""FLUX.1, dev and schnell; and what tells the later ones, which are other models, from it."""

from collections.abc import Mapping

from agents.generator.architectures.architecture import Architecture, Pipelines
from agents.generator.architectures.file_marks import FileMarks, LayerMark, Lookalike

WIDTH = 3072
"""Width of its transformer: 24 heads of 128."""

FLUX_2_WIDTHS = (6144, 4096, 3072)
"""Widths of the transformers of FLUX.2-dev, klein 9B and klein 4B; the last one is FLUX.1's, too."""

FLUX_2 = Lookalike(
    name="FLUX.2",
    base_models=("flux.2", "flux2", "flux-2", "flux_2", "flux 2"),
    class_prefix="Flux2",
    # transformer_flux2.py; the original names are in diffusers' loaders/lora_conversion_utils.py.
    layers=(
        # One modulation for all blocks; what a single block reads, and what it answers, in one layer each.
        LayerMark(r"stream_modulation(_img|_txt)?[._]lin|time_guidance_embed|to_qkv_mlp_proj"),
        LayerMark(r"single_transformer_blocks[._]\d+[._]attn[._]to_out$"),
        LayerMark(r"(?<!single_)transformer_blocks[._]\d+[._]ff(_context)?[._]linear_(in|out)"),
        LayerMark(
            r"(double|single|transformer)_blocks[._]\d+[._]((img_|txt_)?(attn[._]|mlp[._]0$)|linear1$)",
            reads=frozenset({6144, 4096}),
        ),
        # Its feed-forward parts are three times its width, and read twice that to be gated; those of FLUX.1 four times.
        LayerMark(r"single_blocks[._]\d+[._]linear1$", answers=frozenset(9 * width for width in FLUX_2_WIDTHS)),
        LayerMark(r"single_blocks[._]\d+[._]linear2$", reads=frozenset(4 * width for width in FLUX_2_WIDTHS)),
        LayerMark(
            r"double_blocks[._]\d+[._](img|txt)_mlp[._]0$", answers=frozenset(6 * width for width in FLUX_2_WIDTHS)
        ),
        # 12288 would be either klein 9B or FLUX.1.
        LayerMark(r"double_blocks[._]\d+[._](img|txt)_mlp[._]2$", reads=frozenset({18432, 9216})),
        # Latents of 128 channels, and text from several layers of a language model.
        LayerMark(r"(^|[._])(img_in|x_embedder)$", reads=frozenset({128}), answers=frozenset(FLUX_2_WIDTHS)),
        LayerMark(r"(^|[._])(txt_in|context_embedder)$", reads=frozenset({15360, 12288, 7680})),
    ),
)

FLUX_3 = Lookalike(
    name="FLUX.3",
    base_models=("flux.3", "flux3", "flux-3", "flux_3", "flux 3"),
    class_prefix="Flux3",
    # transformer_flux3.py
    layers=(LayerMark(r"stream_modulations|mode_blocks|single_transformer_blocks[._]\d+[._]ff[._]linear_(in|out)"),),
)


def platform_of_config(transformer: Mapping[str, object]) -> str:
    """FLUX.1-dev follows a guidance value, which FLUX.1-schnell does not."""
    return "flux_1_dev" if transformer.get("guidance_embeds") is True else "flux_1_schnell"


FLUX = Architecture(
    name="flux",
    pipelines=Pipelines(noise="FluxPipeline", picture="FluxImg2ImgPipeline"),
    denoiser="FluxTransformer2DModel",
    # The positions of pixels and words (transformer_flux.py, `forward`).
    shared_models={"FluxTransformer2DModel": ("img_ids", "txt_ids")},
    # Cells are packed, row by row.
    latent_stride=None,
    # `max_sequence_length` of its pipelines.
    prompt_tokens=512,
    flow_matching=True,
    # FluxPipeline always gives the shift `mu`, which the multistep schedulers take only where shifting is dynamic, and
    # sigmas of its own, which Heun does not take.
    unfit_samplers=frozenset({"DPM++ 2M", "DPM++ 2M SDE", "Heun"}),
    files=FileMarks(
        platform="flux_1_dev",
        base_models={"flux": "flux_1_dev", "flux-1-schnell": "flux_1_schnell", "flux.1 s": "flux_1_schnell"},
        layers=(
            LayerMark(
                "single_blocks|single_transformer_blocks|double_blocks", reads=frozenset({WIDTH, 4 * WIDTH, 5 * WIDTH})
            ),
        ),
        transformer_prefixes=("double_blocks.",),
        config="transformer/config.json",
        platform_of_config=platform_of_config,
        lookalikes=(FLUX_2, FLUX_3),
    ),
)
