# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""How well pictures and sentences agree, by the pocket scorer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from transformers import AutoTokenizer, CLIPModel

from agents.pocket.paths import SCORER


class Adherence:
    """The scorer with its tokenizer and its calibration, on the CPU."""

    def __init__(self, folder: Path = SCORER) -> None:
        self.model = CLIPModel.from_pretrained(folder).float().eval().requires_grad_(False)
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        notes = json.loads((folder / "calibration.json").read_text())
        self.side = int(notes["image_size"])
        self.mean = torch.tensor(notes["mean"])[:, None, None]
        self.std = torch.tensor(notes["std"])[:, None, None]
        self.slope = float(notes["adherence"]["slope"])
        self.offset = float(notes["adherence"]["offset"])

    def prepare(self, image: Image.Image) -> torch.Tensor:
        """One picture as the scorer wants it."""
        small = image.convert("RGB").resize((self.side, self.side), Image.Resampling.BOX)
        x = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        return (x - self.mean) / self.std

    @torch.inference_mode()
    def embed_images(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Normalised embeddings, one row for each picture."""
        x = torch.stack([self.prepare(image) for image in images])
        seen = self.model.visual_projection(self.model.vision_model(x).pooler_output)
        return F.normalize(seen, dim=-1).numpy()

    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Normalised embeddings, one row for each sentence."""
        words = self.tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
        read = self.model.text_projection(
            self.model.text_model(words.input_ids, attention_mask=words.attention_mask).pooler_output
        )
        return F.normalize(read, dim=-1).numpy()

    def score(self, images: Sequence[Image.Image], texts: Sequence[str]) -> np.ndarray:
        """The adherence of each picture to the sentence beside it, from 0 to 1."""
        cosine = (self.embed_images(images) * self.embed_texts(texts)).sum(-1)
        return 1 / (1 + np.exp(-(self.slope * cosine + self.offset)))
