# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportCallIssue=false
"""The scorer: a small CLIP that says how well a picture and a sentence agree.

Each picture is set against its own caption, against those of the others in the batch and against captions in which
one attribute is changed. Whether a pair agrees follows from the scenes, so a caption that leaves something out counts
as right wherever it is right. Some pictures are spoilt, and then what would be right is right to a degree.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from agents.pocket import spoil
from agents.pocket.captions import describe
from agents.pocket.judge import to_input
from agents.pocket.pairs import held_out_pairs, wrong_caption
from agents.pocket.render import Scene, render
from agents.pocket.train import text
from agents.pocket.train.data import shrunk
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device
from agents.pocket.train.worsen import worsen
from agents.pocket.vocabulary import PALETTE

STEPS = 4_200
# For this share of the steps the scorer only looks: naming attributes is a cheaper lesson than matching.
LOOKING = 0.5
RATE = 1.5e-3
LOOKING_BATCH = 128
BATCH = 64
# How many pictures of a batch are spoilt, each in one way.
SPOILT = 16
WIDTH = 128
SIDE = 96
# Colours whose hue can be turned.
CHROMATIC = torch.tensor([max(c) - min(c) > 20 for c in PALETTE.values()])


def build() -> CLIPModel:
    """An untrained scorer."""
    tokenizer = text.make_tokenizer()
    words = text.config(tokenizer).to_dict()
    shape = CLIPConfig(
        text_config=words,
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": WIDTH * 4,
            "projection_dim": WIDTH,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "patch_size": 16,
        },
        projection_dim=WIDTH,
        logit_scale_init_value=math.log(10.0),
    )
    return CLIPModel(shape)


def _lend_words(model: CLIPModel) -> None:
    """Start from the text encoder that can already read; only its last layer learns on."""
    reader = text.load_frozen()[1]
    model.text_model.load_state_dict(reader.state_dict())
    model.text_model.requires_grad_(False)
    model.text_model.encoder.layers[-1].requires_grad_(True)
    model.text_model.final_layer_norm.requires_grad_(True)


def learner() -> nn.ModuleDict:
    """The scorer, a classifier that makes it see sooner and is thrown away, and the offset of its logits."""
    model = build()
    _lend_words(model)
    parts = nn.ModuleDict({"model": model, "seen": text.Heads(WIDTH)})
    parts.register_parameter("offset", nn.Parameter(torch.tensor(-4.0)))
    return parts


def agreement(labels: torch.Tensor, others: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
    """Which pictures (rows) show all that which captions (columns) name."""
    same = labels[:, None] == others[None]
    return (same | ~said[None].bool()).all(-1)


def _spoil(x: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The first pictures spoilt; each one's merit; and whether that holds for sentences about colours alone."""
    merit, hued = torch.ones(len(x)), torch.zeros(len(x), dtype=torch.bool)
    out = list(x.split(1))
    for i in range(SPOILT):
        kind, strength = i % 3, float(rng.random())
        if kind == 0:
            cells = 4 * 16**strength
            out[i], merit[i] = spoil.blur(out[i], cells), spoil.blur_merit(cells)
        elif kind == 1:
            out[i], merit[i] = spoil.noise(out[i], 1.2 * strength), spoil.noise_merit(1.2 * strength)
        else:
            degrees = float(rng.choice((-1, 1))) * 180 * strength**2
            out[i], merit[i], hued[i] = spoil.turn_hue(out[i], degrees), spoil.hue_merit(degrees), True
    return torch.cat(out), merit.to(x.device), hued.to(x.device)


def _targets(
    agree: torch.Tensor, here: torch.Tensor, said: torch.Tensor, merit: torch.Tensor, hued: torch.Tensor
) -> torch.Tensor:
    """How right each caption (columns) is for each picture (rows), from 0 to 1."""
    chromatic = CHROMATIC.to(here.device)
    told = (said[None, :, 1] & chromatic[here[:, 1]][:, None]) | (said[None, :, 2] & chromatic[here[:, 2]][:, None])
    spared = hued[:, None] & ~told
    return agree * torch.where(spared, torch.ones_like(merit)[:, None], merit[:, None])


def train(steps: int = STEPS) -> None:
    """Teach the scorer: first to see, then to match."""
    run = Run("scorer", steps)
    if run.is_done:
        return
    torch.manual_seed(12 + run.step)
    tokenizer = text.make_tokenizer()
    parts = learner().to(device())
    optimizer = Muon(parts.named_parameters(), RATE, tables=("embedding", "seen."))
    if run.state:
        parts.load_state_dict(run.state["model"])
        optimizer.load_state_dict(run.state["optimizer"])
    pixels, scenes = shrunk(SIDE)
    labels = torch.tensor([s.labels() for s in scenes])
    rng = np.random.default_rng([13, run.step])
    recent = np.full(3, np.nan)

    def state() -> dict:
        return {"model": parts.state_dict(), "optimizer": optimizer.state_dict()}

    def news() -> str:
        return "pair loss {:.3f}, seen {:.3f}, right over wrong {:.3f}".format(*recent)

    for progress in run.steps(state, news):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cool(progress, 0.4, 0.01) * min(1.0, (run.step - run.first + 1) / 50)
        looking = progress < LOOKING
        picks = rng.integers(len(scenes), size=LOOKING_BATCH if looking else BATCH)
        x = worsen(pixels[picks].to(device()).float() / 127.5 - 1, rng)
        here = labels[picks].to(device())
        if looking:
            loss = _naming(parts, _look(parts, x), here, torch.ones(len(x), device=x.device))
            fresh = np.array([np.nan, loss.item(), np.nan])
        else:
            x, merit, hued = _spoil(x, rng)
            seen = _look(parts, x)
            loss_seen = _naming(parts, seen, here, merit)
            loss_pair, better = _matching(parts, tokenizer, seen, [scenes[i] for i in picks], merit, hued, rng)
            loss = loss_pair + 0.15 * loss_seen
            fresh = np.array([loss_pair.item(), loss_seen.item(), better])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        recent = np.where(np.isnan(recent), fresh, 0.95 * recent + 0.05 * fresh)


def _look(parts: nn.ModuleDict, x: torch.Tensor) -> torch.Tensor:
    return parts["model"].vision_model(pixel_values=x).pooler_output


def _naming(parts: nn.ModuleDict, seen: torch.Tensor, here: torch.Tensor, merit: torch.Tensor) -> torch.Tensor:
    """The loss of naming the attributes of pictures that are fit to be named."""
    return text.head_loss(parts["seen"](seen), here, merit[:, None].expand(here.shape))


def _matching(
    parts: nn.ModuleDict,
    tokenizer: CLIPTokenizer,
    seen: torch.Tensor,
    scenes: list[Scene],
    merit: torch.Tensor,
    hued: torch.Tensor,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, float]:
    """The loss of matching pictures with sentences, and how often the right one is closer than the changed one."""
    model, count = parts["model"], len(scenes)
    wrong = [wrong_caption(s, rng) for s in scenes]
    captions = [describe(s, rng) for s in scenes] + [c for _, c in wrong]
    here = torch.tensor([s.labels() for s in scenes], device=seen.device)
    there = torch.cat([here, torch.tensor([s.labels() for s, _ in wrong], device=seen.device)])
    said = torch.tensor([c.said for c in captions], device=seen.device)
    pictured = F.normalize(model.visual_projection(seen), dim=-1)
    cosine = pictured @ embed_texts(model, tokenizer, [c.text for c in captions]).T
    agree = agreement(here, there, said)
    targets = _targets(agree, here, said, merit, hued)
    loss = _pair_loss(model.logit_scale.exp() * cosine + parts.offset, agree, targets)
    better = (cosine[:, :count].diagonal() > cosine[:, count:].diagonal())[SPOILT:].float()
    return loss, better.mean().item()


def _pair_loss(logits: torch.Tensor, agree: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Right pairs, chance pairs and changed pairs weigh the same, however many there are of each."""
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    changed_pair = torch.zeros_like(agree)
    rows = torch.arange(len(agree), device=agree.device)
    changed_pair[rows, rows + len(agree)] = True
    changed_pair &= ~agree
    return loss[agree].mean() + loss[changed_pair].mean() + loss[~agree & ~changed_pair].mean()


def embed_texts(model: CLIPModel, tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Normalised embeddings of sentences."""
    read = model.text_model(text.encode(tokenizer, texts)).pooler_output
    return F.normalize(model.text_projection(read), dim=-1)


@torch.no_grad()
def cosines(model: CLIPModel, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of held-out renders with a right and with a wrong sentence."""
    tokenizer = text.make_tokenizer()
    model = model.to(device())
    right, wrong = [], []
    pairs = held_out_pairs(count, seed)
    for start in range(0, count, 100):
        part = pairs[start : start + 100]
        x = to_input(np.stack([render(p.scene) for p in part]), SIDE).to(device())
        seen = F.normalize(model.visual_projection(model.vision_model(x).pooler_output), dim=-1)
        right.append((seen * embed_texts(model, tokenizer, [p.right for p in part])).sum(-1).cpu().numpy())
        wrong.append((seen * embed_texts(model, tokenizer, [p.wrong for p in part])).sum(-1).cpu().numpy())
    return np.concatenate(right), np.concatenate(wrong)


def calibrate(model: CLIPModel) -> tuple[float, float]:
    """Slope and offset of the adherence, by logistic regression over held-out pairs."""
    right, wrong = cosines(model, 600, seed=51)
    x = torch.from_numpy(np.concatenate([right, wrong])).double()
    y = torch.cat([torch.ones(len(right)), torch.zeros(len(wrong))]).double()
    line = torch.tensor([10.0, -5.0], dtype=torch.double, requires_grad=True)
    solver = torch.optim.LBFGS([line], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        solver.zero_grad()
        loss = F.binary_cross_entropy_with_logits(line[0] * x + line[1], y) + 1e-5 * line.square().sum()
        loss.backward()
        return loss

    solver.step(closure)  # type: ignore[arg-type]
    slope, offset = line.detach().tolist()
    return slope, offset


def load_trained() -> CLIPModel:
    """The trained scorer."""
    run = Run("scorer")
    assert run.state is not None, "train the scorer first"
    model, weights = build(), run.state["model"]
    model.load_state_dict({k.removeprefix("model."): v for k, v in weights.items() if k.startswith("model.")})
    return model.eval().requires_grad_(False)
