# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
# pyright: reportOptionalSubscript=false, reportOperatorIssue=false, reportCallIssue=false
"""The scorer: a small CLIP that says how well a picture and a sentence agree.

Each picture is set against its own caption, against those of the others in the batch and against
captions in which one attribute is changed. Whether a pair agrees follows from the scenes, so a
caption that leaves something out counts as right wherever it is right.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from agents.pocket.captions import Caption, describe
from agents.pocket.judge import to_input
from agents.pocket.paths import WORK
from agents.pocket.render import Scene, render, sample
from agents.pocket.train import text
from agents.pocket.train.data import DATA, SHARD, SHARDS, held_out, scene
from agents.pocket.train.muon import Muon
from agents.pocket.train.run import Run, cool, device
from agents.pocket.train.worsen import worsen
from agents.pocket.vocabulary import ATTRIBUTES

RATE = 1.5e-3
BATCH = 64
LOOKING_BATCH = 128
# For this share of the time the scorer only looks: naming attributes is a cheaper lesson than matching.
LOOKING = 0.55
WIDTH = 128
# The size of a thing is a matter of taste: it never makes a pair wrong.
JUDGED = torch.tensor([True, True, True, True, False, True, True])
CHANGED = ("object", "colour", "background", "style", "object", "colour", "background")
EXTRA = 4000
SMALL = WORK / "small.pt"


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
            "image_size": 64,
            "patch_size": 16,
        },
        projection_dim=WIDTH,
        logit_scale_init_value=math.log(10.0),
    )
    return CLIPModel(shape)


def _lend_words(model: CLIPModel) -> None:
    """Start from the text encoder that can already read; only its last layer learns on."""
    reader = text.frozen()[1]
    model.text_model.load_state_dict(reader.state_dict())
    model.text_model.requires_grad_(False)
    model.text_model.encoder.layers[-1].requires_grad_(True)
    model.text_model.final_layer_norm.requires_grad_(True)


def changed(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with one of its named attributes changed."""
    field = CHANGED[int(rng.integers(len(CHANGED)))]
    count = len(ATTRIBUTES[field])
    value = (getattr(scene, field) + 1 + int(rng.integers(count - 1))) % count
    return dataclasses.replace(scene, **{field: value})


def wrong_caption(scene: Scene, rng: np.random.Generator) -> tuple[Scene, Caption]:
    """A sentence for a changed scene."""
    other = changed(scene, rng)
    return other, describe(other, rng, drop=0.0)


def agreement(labels: torch.Tensor, others: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
    """Which pictures (rows) show all that which captions (columns) name."""
    same = labels[:, None] == others[None]
    matters = said[None].bool() & JUDGED.to(said.device)
    return (same | ~matters).all(-1)


def embed(model: CLIPModel, tokenizer, pixels: torch.Tensor, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised embeddings of pictures and sentences."""
    words = tokenizer(texts, padding="longest", truncation=True, max_length=text.LENGTH, return_tensors="pt").to(
        pixels.device
    )
    seen = model.visual_projection(model.vision_model(pixels).pooler_output)
    read = model.text_projection(model.text_model(**words).pooler_output)
    return F.normalize(seen, dim=-1), F.normalize(read, dim=-1)


def _pictures() -> tuple[torch.Tensor, list[Scene]]:
    """The rendered pictures and some with places, sizes and counts, all of them small."""
    scenes = [scene(i) for i in range(SHARD * SHARDS)]
    scenes += [sample(np.random.default_rng([14, i]), plain=False) for i in range(EXTRA)]
    if SMALL.exists():
        return torch.load(SMALL, weights_only=True), scenes
    small = [to_input(np.load(path)).half() for path in sorted(DATA.glob("*.npy"))]
    rest = scenes[len(small) * SHARD :]
    for start in range(0, len(rest), 500):
        small += [to_input(np.stack([render(s) for s in rest[start : start + 500]])).half()]
    pixels = torch.cat(small)
    torch.save(pixels, SMALL)
    return pixels, scenes


def train(seconds: float) -> None:
    """Teach the scorer; a helper classifier, thrown away afterwards, makes it see sooner."""
    torch.manual_seed(12)
    run = Run("scorer", seconds)
    if run.done:
        return
    tokenizer = text.make_tokenizer()
    model = build().to(device())
    _lend_words(model)
    parts = nn.ModuleDict({"model": model, "seen": text.Heads(WIDTH)}).to(device())
    offset = nn.Parameter(torch.tensor(-4.0, device=device()))
    parts.register_parameter("offset", offset)
    tables = ("embedding", "seen.")
    optimizer = Muon(parts.named_parameters(), RATE, tables=tables)
    if run.state:
        parts.load_state_dict(run.state["model"])
        optimizer.load_state_dict(run.state["optimizer"])
    pixels, scenes = _pictures()
    labels = torch.tensor([s.labels() for s in scenes])
    rng = np.random.default_rng([13, run.step])
    recent = np.full(3, np.nan)

    def state() -> dict:
        return {"model": parts.state_dict(), "optimizer": optimizer.state_dict()}

    def news() -> str:
        return "pair loss {:.3f}, seen {:.3f}, right over wrong {:.3f}".format(*recent)

    for progress in run.steps(state, news):
        for group in optimizer.param_groups:
            group["lr"] = RATE * cool(progress, 0.4, 0.01) * min(1.0, (run.step + 1) / 50)
        looking = progress < LOOKING
        picks = rng.integers(len(scenes), size=LOOKING_BATCH if looking else BATCH)
        x = worsen(pixels[picks].to(device()).float(), rng)
        here = labels[picks].to(device())
        seen = model.vision_model(pixel_values=x).pooler_output
        loss_seen = text.head_loss(parts["seen"](seen), here, torch.ones_like(here).float())
        if looking:
            loss, fresh = loss_seen, np.array([np.nan, loss_seen.item(), np.nan])
        else:
            loss_pair, better = _matching(parts, tokenizer, seen, [scenes[i] for i in picks], rng)
            loss = loss_pair + 0.15 * loss_seen
            fresh = np.array([loss_pair.item(), loss_seen.item(), better])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parts.parameters(), 1.0)
        optimizer.step()
        recent = np.where(np.isnan(recent), fresh, 0.95 * recent + 0.05 * fresh)


def _matching(
    parts: nn.ModuleDict, tokenizer: CLIPTokenizer, seen: torch.Tensor, scenes: list[Scene], rng: np.random.Generator
) -> tuple[torch.Tensor, float]:
    """The loss of matching pictures with sentences, and how often the right one is closer than the changed one."""
    model = parts["model"]
    own = [describe(s, rng) for s in scenes]
    wrong = [wrong_caption(s, rng) for s in scenes]
    captions = own + [c for _, c in wrong]
    here = torch.tensor([s.labels() for s in scenes], device=seen.device)
    there = torch.cat([here, torch.tensor([s.labels() for s, _ in wrong], device=seen.device)])
    said = torch.tensor([c.said for c in captions], device=seen.device)
    words = tokenizer(
        [c.text for c in captions], padding="longest", truncation=True, max_length=text.LENGTH, return_tensors="pt"
    ).to(seen.device)
    read = model.text_model(**words).pooler_output
    pictured = F.normalize(model.visual_projection(seen), dim=-1)
    worded = F.normalize(model.text_projection(read), dim=-1)
    cosine = pictured @ worded.T
    agree = agreement(here, there, said)
    loss = _pair_loss(model.logit_scale.exp() * cosine + parts.offset, agree)
    count = len(scenes)
    truly_wrong = ~agree[:, count:].diagonal()
    better = (cosine[:, :count].diagonal() > cosine[:, count:].diagonal()).float()[truly_wrong]
    return loss, better.mean().item()


def _pair_loss(logits: torch.Tensor, agree: torch.Tensor) -> torch.Tensor:
    """Right pairs, chance pairs and changed pairs weigh the same, however many there are of each."""
    loss = F.binary_cross_entropy_with_logits(logits, agree.float(), reduction="none")
    changed_pair = torch.zeros_like(agree)
    rows = torch.arange(len(agree), device=agree.device)
    changed_pair[rows, rows + len(agree)] = True
    changed_pair &= ~agree
    return loss[agree].mean() + loss[changed_pair].mean() + loss[~agree & ~changed_pair].mean()


@torch.no_grad()
def pairs(model: CLIPModel, count: int = 500, spoil: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Cosines of held-out pictures with a right and a wrong caption; `spoil` is blur, noise or nothing."""
    tokenizer = text.make_tokenizer()
    rng = np.random.default_rng(15)
    right, wrong = [], []
    for start in range(0, count, 100):
        scenes = held_out(count, seed=51)[start : start + 100]
        x = to_input(np.stack([render(s) for s in scenes]))
        if spoil == "blur":
            x = F.interpolate(F.interpolate(x, (16, 16), mode="area"), (64, 64), mode="bilinear")
        if spoil == "noise":
            x = (x + 0.5 * torch.from_numpy(rng.standard_normal(x.shape)).float()).clamp(-1, 1)
        good = [describe(s, rng).text for s in scenes]
        bad = [wrong_caption(s, rng)[1].text for s in scenes]
        seen, read = embed(model, tokenizer, x, good + bad)
        right.append((seen * read[: len(scenes)]).sum(-1).numpy())
        wrong.append((seen * read[len(scenes) :]).sum(-1).numpy())
    return np.concatenate(right), np.concatenate(wrong)


def calibrate(model: CLIPModel) -> tuple[float, float]:
    """Slope and offset of the adherence, by logistic regression over held-out pairs."""
    right, wrong = pairs(model, 600)
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
    return float(line[0]), float(line[1])


def finished() -> CLIPModel:
    """The trained scorer."""
    run = Run("scorer", 1)
    assert run.state is not None, "train the scorer first"
    model = build()
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in run.state["model"].items() if k.startswith("model.")}
    )
    return model.cpu().eval().requires_grad_(False)
