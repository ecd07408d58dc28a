# pyright: basic, reportPrivateImportUsage=false
"""A Stable Diffusion or SDXL pipeline as one file in the names of the original training code, as sites offer it."""

import re
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import save_file

_RESNET = (
    (r"norm1", "in_layers.0"),
    (r"conv1", "in_layers.2"),
    (r"norm2", "out_layers.0"),
    (r"conv2", "out_layers.3"),
    (r"time_emb_proj", "emb_layers.1"),
    (r"conv_shortcut", "skip_connection"),
)
_ENDS = (
    (r"^add_embedding\.linear_1", "label_emb.0.0"),
    (r"^add_embedding\.linear_2", "label_emb.0.2"),
    (r"^time_embedding\.linear_1", "time_embed.0"),
    (r"^time_embedding\.linear_2", "time_embed.2"),
    (r"^conv_in", "input_blocks.0.0"),
    (r"^conv_norm_out", "out.0"),
    (r"^conv_out", "out.2"),
)
_VAE = (
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"encoder\.down_blocks\.(\d+)\.resnets\.(\d+)", r"encoder.down.\1.block.\2"),
    (r"encoder\.down_blocks\.(\d+)\.downsamplers\.0", r"encoder.down.\1.downsample"),
    (r"decoder\.up_blocks\.(\d+)\.upsamplers\.0", r"decoder.up_blocks.\1.upsample"),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_(.)", r"mid.attn_1.\1"),
)


def _unet_name(name: str, layers: int) -> str:
    for pattern, original in _ENDS:
        name = re.sub(pattern, original, name)
    if re.search(r"resnets\.", name):
        for pattern, original in _RESNET:
            name = re.sub(rf"\.{pattern}\.", f".{original}.", name)
    mid = re.match(r"mid_block\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if mid:
        return f"middle_block.{2 * int(mid[2]) if mid[1] == 'resnets' else 1}.{mid[3]}"
    down = re.match(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if down:
        at = (layers + 1) * int(down[1]) + int(down[3]) + 1
        return f"input_blocks.{at}.{0 if down[2] == 'resnets' else 1}.{down[4]}"
    up = re.match(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name)
    if up:
        at = (layers + 1) * int(up[1]) + int(up[3])
        return f"output_blocks.{at}.{0 if up[2] == 'resnets' else 1}.{up[4]}"
    smaller = re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.*)", name)
    if smaller:
        return f"input_blocks.{(layers + 1) * (int(smaller[1]) + 1)}.0.op.{smaller[2]}"
    larger = re.match(r"up_blocks\.(\d+)\.upsamplers\.0\.conv\.(.*)", name)
    if larger:
        return f"output_blocks.{(layers + 1) * int(larger[1]) + layers}.UP.conv.{larger[2]}"
    return name


def _vae_name(name: str, blocks: int) -> str:
    for pattern, original in _VAE:
        name = re.sub(pattern, original, name)
    return re.sub(
        r"decoder\.up_blocks\.(\d+)(\.resnets\.(\d+))?",
        lambda found: f"decoder.up.{blocks - 1 - int(found[1])}" + (f".block.{found[3]}" if found[2] else ""),
        name,
    )


_OPEN_CLIP = (
    (r"embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"embeddings\.token_embedding", "token_embedding"),
    (r"final_layer_norm", "ln_final"),
    (r"encoder\.layers", "transformer.resblocks"),
    (r"layer_norm(\d)", r"ln_\1"),
    (r"self_attn\.out_proj", "attn.out_proj"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
)


def _open_clip(encoder: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A CLIP text encoder under OpenCLIP's names, which keep the three projections of an attention in one tensor."""
    tensors = {name.removeprefix("text_model."): tensor for name, tensor in encoder.state_dict().items()}
    found = {"text_projection": tensors.pop("text_projection.weight").T}
    for name, tensor in tensors.items():
        projection = re.fullmatch(r"(encoder\.layers\.\d+)\.self_attn\.(.)_proj\.(weight|bias)", name)
        if projection is None:
            for pattern, original_name in _OPEN_CLIP:
                name = re.sub(pattern, original_name, name)
            found[name] = tensor
        elif projection[2] == "q":
            whole = [tensors[f"{projection[1]}.self_attn.{which}_proj.{projection[3]}"] for which in "qkv"]
            layer = projection[1].replace("encoder.layers", "transformer.resblocks")
            found[f"{layer}.attn.in_proj_{projection[3]}"] = torch.cat(whole)
    return found


def original(pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline) -> dict[str, torch.Tensor]:
    """The pipeline's tensors under their original names."""
    layers = pipeline.unet.config.layers_per_block
    unet = {_unet_name(name, layers): tensor for name, tensor in pipeline.unet.state_dict().items()}
    # An upsampler comes after the attention of its block, where the block has one.
    tensors = {
        "model.diffusion_model."
        + name.replace(
            "UP", "2" if any(other.startswith(name.split("UP")[0] + "1.") for other in unet) else "1"
        ): tensor
        for name, tensor in unet.items()
    }
    blocks = len(pipeline.vae.config.block_out_channels)
    for name, tensor in pipeline.vae.state_dict().items():
        attention = re.search(r"attentions\.0\.to_.*weight", name)
        tensors[f"first_stage_model.{_vae_name(name, blocks)}"] = tensor[..., None, None] if attention else tensor
    second = getattr(pipeline, "text_encoder_2", None)
    first = "conditioner.embedders.0.transformer" if second else "cond_stage_model.transformer"
    for name, tensor in pipeline.text_encoder.state_dict().items():
        tensors[f"{first}.text_model.{name.removeprefix('text_model.')}"] = tensor
    if second:
        tensors |= {f"conditioner.embedders.1.model.{name}": tensor for name, tensor in _open_clip(second).items()}
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def save(pipeline: StableDiffusionPipeline | StableDiffusionXLPipeline, file: Path) -> None:
    """Write the file."""
    save_file(original(pipeline), file)
