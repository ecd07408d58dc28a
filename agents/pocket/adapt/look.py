# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportAttributeAccessIssue=false
"""An IP-Adapter (Ye et al., 2023) by least squares: what the scorer sees of colour, ground and style becomes what the
text encoder makes of the words for them, and the UNet reads it as it reads words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

from agents.pocket.adapt.lesson import read
from agents.pocket.paths import ADAPTERS, SCORER
from agents.pocket.render import Scene, render, sample

FILE = ADAPTERS / "look.safetensors"
TOKENS = 4
"""Words' places that a picture takes; what diffusers expects of such a file."""
PICTURES = 1_000
NOTHING = 200
"""How many pictures the embedding of nothing counts for, which stands for no words at all."""
RIDGE = 5.0


def sentence(scene: Scene) -> str:
    """What a picture of a scene says beside its thing."""
    names = scene.names()
    colour, ground = (
        f"{'an' if word[0] in 'aeiou' else 'a'} {word}" for word in (names["colour"], names["background"])
    )
    return f"{colour} something on {ground} background, {names['style']}"


def places(pipe: StableDiffusionPipeline, scene: Scene) -> list[int]:
    """Where the words for colour, ground (two) and style stand in the sentence, after the sign of its beginning."""
    words = [word.removesuffix("</w>") for word in pipe.tokenizer.tokenize(sentence(scene))]
    ground = words.index("background")
    return [1 + place for place in (1, ground - 1, ground, len(words) - 1)]


@torch.no_grad()
def embed_pictures(pictures: Sequence[np.ndarray]) -> torch.Tensor:
    """Pictures as the scorer sees them, (n, 128)."""
    processor = CLIPImageProcessorPil.from_pretrained(SCORER)
    encoder = CLIPVisionModelWithProjection.from_pretrained(SCORER, dtype=torch.float32).eval()
    batches = [pictures[at : at + 50] for at in range(0, len(pictures), 50)]
    pixels = (processor([Image.fromarray(one) for one in batch], return_tensors="pt").pixel_values for batch in batches)
    return torch.cat([encoder(one).image_embeds for one in pixels])


def projection(pipe: StableDiffusionPipeline, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
    """The layer from embeddings to words' places, and the text encoder's own last norm after it."""
    embeds = embed_pictures([render(scene) for scene in scenes]).double()
    texts = [sentence(scene) for scene in scenes]
    spoken = torch.cat([read(pipe, texts[at : at + 50]) for at in range(0, len(texts), 50)]).cpu()
    words = torch.stack([spoken[row, places(pipe, scene)] for row, scene in enumerate(scenes)])
    norm = pipe.text_encoder.get_submodule("final_layer_norm").cpu()
    none = read(pipe, [""])[0, 1 : 1 + TOKENS].cpu()
    # Before the norm's own scale and shift, so that it gives them back.
    before = ((torch.cat([words, none.expand(NOTHING, -1, -1)]) - norm.bias) / norm.weight).flatten(1).double()
    inputs = torch.cat([embeds, torch.zeros(NOTHING, embeds.shape[1])])
    inputs = torch.cat([inputs, torch.ones(len(inputs), 1)], 1)
    penalty = torch.diag(torch.tensor([RIDGE] * embeds.shape[1] + [0.0])).double()
    found = torch.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ before)
    return {
        "proj.weight": found[:-1].T,
        "proj.bias": found[-1],
        "norm.weight": norm.weight,
        "norm.bias": norm.bias,
    }


@torch.no_grad()
def make(pipe: StableDiffusionPipeline) -> Path:
    """Find and write the IP-Adapter, at half precision and in the naming of IP-Adapter's makers."""
    rng = np.random.default_rng(48)
    found = projection(pipe, [sample(rng) for _ in range(PICTURES)])
    tensors = {f"image_proj.{name}": tensor for name, tensor in found.items()}
    modules = dict(pipe.unet.named_modules())
    layers = [modules[name.removesuffix(".processor")] for name in pipe.unet.attn_processors if "attn2" in name]
    for number, layer in enumerate(layers):
        tensors[f"ip_adapter.{2 * number + 1}.to_k_ip.weight"] = layer.to_k.weight
        tensors[f"ip_adapter.{2 * number + 1}.to_v_ip.weight"] = layer.to_v.weight
    save_file({name: p.detach().half().cpu().contiguous() for name, p in tensors.items()}, FILE, {"format": "pt"})
    return FILE
