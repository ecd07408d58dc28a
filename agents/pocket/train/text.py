# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""The words: a byte-pair tokenizer and a small text encoder, taught alone and then frozen.

Taught together with the picture model it forgets what words mean, so it first learns to name the
seven attributes of a scene from its caption; nothing trains it afterwards.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from tokenizers import Tokenizer, models, trainers
from tokenizers.pre_tokenizers import ByteLevel
from torch import nn
from torch.nn import functional as F
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from agents.pocket.captions import describe, nonsense
from agents.pocket.paths import WORK
from agents.pocket.render import sample
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device
from agents.pocket.vocabulary import ATTRIBUTES, COMMON, HARMLESS

LENGTH = 64
WIDTH = 160
STEPS = 600
VOCABULARY = 1408
FOLDER = WORK / "tokenizer"


def make_tokenizer() -> CLIPTokenizer:
    """Train the tokenizer on captions, or load the one that is there."""
    if (FOLDER / "tokenizer_config.json").exists():
        return CLIPTokenizer.from_pretrained(FOLDER)
    rng = np.random.default_rng(11)
    lines = [describe(sample(rng, plain=i % 3 > 0), rng).text for i in range(20_000)]
    lines += [*COMMON, *HARMLESS] * 12
    lines += [nonsense(rng) for _ in range(2_000)]
    blank = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer, learner.pre_tokenizer = blank.normalizer, blank.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|startoftext|>", "<|endoftext|>"],
        initial_alphabet=_alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(lines, trainer)
    model = json.loads(learner.to_str())["model"]
    merges = [tuple(m) if not isinstance(m, str) else tuple(m.split(" ")) for m in model["merges"]]
    tokenizer = CLIPTokenizer(vocab=model["vocab"], merges=merges, model_max_length=LENGTH)
    tokenizer.save_pretrained(FOLDER)
    return tokenizer


def _alphabet() -> list[str]:
    """The bytes of plain text; other characters fall to pieces of these or to the unknown word."""
    return ByteLevel.alphabet()


def encode(tokenizer: CLIPTokenizer, texts: list[str], *, full: bool = False) -> torch.Tensor:
    """Token numbers, padded to the longest or to the full length."""
    return tokenizer(
        texts,
        padding="max_length" if full else "longest",
        truncation=True,
        max_length=LENGTH,
        return_tensors="pt",
    ).input_ids.to(device())


def config(tokenizer: CLIPTokenizer, width: int = WIDTH, layers: int = 3) -> CLIPTextConfig:
    """The shape of the text encoder."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width * 4,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


class Heads(nn.Module):
    """One classifier for each attribute."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, len(v)) for v in ATTRIBUTES.values())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Scores for each attribute."""
        return [head(x) for head in self.heads]


def head_loss(scores: list[torch.Tensor], labels: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
    """Cross entropy over the attributes that the captions name."""
    total = labels.new_zeros((), dtype=torch.float32)
    for i, score in enumerate(scores):
        loss = F.cross_entropy(score, labels[:, i], reduction="none")
        total = total + (loss * said[:, i]).sum() / said[:, i].sum().clamp(min=1)
    return total


def train(steps: int = STEPS) -> None:
    """Teach the encoder to read."""
    tokenizer = make_tokenizer()
    run = Run("text", steps)
    torch.manual_seed(3 + run.step)
    model, heads = CLIPTextModel(config(tokenizer)).to(device()), Heads(WIDTH).to(device())
    both = nn.ModuleDict({"model": model, "heads": heads})
    optimizer = Muon(both.named_parameters(), 1.5e-3, tables=("embedding", "heads"))
    if run.state:
        both.load_state_dict(run.state["model"])
        optimizer.load_state_dict(run.state["optimizer"])
    rng = np.random.default_rng([5, run.step])
    right = np.zeros(7)

    def state() -> dict:
        return {"model": both.state_dict(), "optimizer": optimizer.state_dict()}

    def news() -> str:
        return "right " + " ".join(f"{k} {v:.2f}" for k, v in zip(ATTRIBUTES, right, strict=True))

    for progress in run.steps(state, news):
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * cool(progress, 0.4, 0.02) * min(1.0, (run.step + 1) / 30)
        scenes = [sample(rng, plain=bool(rng.random() < 0.5)) for _ in range(96)]
        captions = [describe(s, rng) for s in scenes]
        tokens = encode(tokenizer, [c.text for c in captions])
        labels = torch.tensor([s.labels() for s in scenes], device=device())
        said = torch.tensor([c.said for c in captions], device=device(), dtype=torch.float32)
        scores = heads(model(tokens).pooler_output)
        loss = head_loss(scores, labels, said)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()
        for i, score in enumerate(scores):
            known = said[:, i] > 0
            if known.any():
                hit = (score.argmax(-1) == labels[:, i])[known].float().mean().item()
                right[i] = 0.9 * right[i] + 0.1 * hit


def load_frozen() -> tuple[CLIPTokenizer, CLIPTextModel]:
    """The taught encoder, for others to read with."""
    tokenizer = make_tokenizer()
    model = CLIPTextModel(config(tokenizer))
    state = torch.load(WORK / "text.pt", map_location="cpu", weights_only=True)["model"]
    model.load_state_dict({k.removeprefix("model."): v for k, v in state.items() if k.startswith("model.")})
    return tokenizer, model.to(device()).eval().requires_grad_(False)
