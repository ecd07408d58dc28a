# pyright: basic, reportPrivateImportUsage=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Write what was trained in the folders that diffusers and transformers read, at half precision."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from agents.pocket import judge
from agents.pocket.paths import DEFAULTS, EVALUATOR, MODEL, SCORER

MODEL_LIMIT = 20_000_000
SCORER_LIMIT = 8_000_000
EVALUATOR_LIMIT = 2_000_000
SAMPLER = "DPM++ 2M Karras"


def size(folder: Path) -> int:
    """The bytes of a folder."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each weights file in a folder."""
    files = sorted(folder.rglob("*.safetensors"))
    return {p.relative_to(folder.parent).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def all_hashes() -> dict[str, str]:
    """The SHA-256 of every weights file that is trained here."""
    return {name: digest for folder in (MODEL, SCORER, EVALUATOR) for name, digest in hashes(folder).items()}


def _clean(folder: Path) -> None:
    """No paths of this machine in the configurations."""
    for path in folder.rglob("*.json"):
        if path.name in ("vocab.json", "tokenizer.json", "calibration.json"):
            continue
        data = json.loads(path.read_text())
        if not isinstance(data, dict):
            continue
        for key in ("_name_or_path", "name_or_path"):
            data.pop(key, None)
        path.write_text(json.dumps(data, indent=2) + "\n")


def _swap(part: Path, folder: Path, limit: int) -> None:
    """Put a finished folder in place of the old one, if it is small enough."""
    if size(part) > limit:
        message = f"{folder.name} has {size(part):,} bytes, more than {limit:,}"
        raise ValueError(message)
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)


def _part(folder: Path) -> Path:
    part = folder.with_name(folder.name + ".part")
    if part.exists():
        shutil.rmtree(part)
    return part


def pipeline(
    tokenizer: CLIPTokenizer, reader: CLIPTextModel, unet: UNet2DConditionModel, vae: AutoencoderKL
) -> StableDiffusionPipeline:
    """The parts as one diffusers pipeline."""
    from agents.pocket.train.unet import scheduler

    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=reader,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler(),
        safety_checker=None,  # type: ignore[arg-type]
        feature_extractor=None,  # type: ignore[arg-type]
        requires_safety_checker=False,
    )


def trained_pipeline() -> StableDiffusionPipeline:
    """The pipeline of the latest checkpoints, at full precision."""
    from agents.pocket.train import decoder, text, unet

    tokenizer, reader = text.load_frozen()
    return pipeline(tokenizer, reader.cpu(), unet.load_trained().cpu(), decoder.load_trained().cpu())


def export_model(folder: Path = MODEL) -> None:
    """Write the diffusers folder."""
    part = _part(folder)
    trained_pipeline().to(torch.float16).save_pretrained(part, safe_serialization=True)
    _clean(part)
    _swap(part, folder, MODEL_LIMIT)


def export_defaults(steps: int = 20, guidance: float = 3.0) -> None:
    """Write how the model is best asked."""
    notes = {"steps": steps, "guidance": guidance, "native_size": [128, 128], "sampler": SAMPLER}
    DEFAULTS.write_text(json.dumps(notes) + "\n")


def export_scorer(folder: Path = SCORER) -> None:
    """Write the transformers folder, with its calibration."""
    from agents.pocket.train import scorer, text

    model = scorer.load_trained()
    slope, offset = scorer.calibrate(model)
    part = _part(folder)
    model.half().save_pretrained(part, safe_serialization=True)
    text.make_tokenizer().save_pretrained(part)
    _write_preparation(part, scorer.SIDE, math.exp(float(model.logit_scale)), slope, offset)
    _clean(part)
    _swap(part, folder, SCORER_LIMIT)


def _write_preparation(part: Path, side: int, scale: float, slope: float, offset: float) -> None:
    """How a picture is prepared for the scorer, and what its cosine means."""
    norm = [0.5, 0.5, 0.5]
    processor = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"height": side, "width": side},
        "resample": 4,
        "do_center_crop": False,
        "do_convert_rgb": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": norm,
        "image_std": norm,
    }
    (part / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    notes = {
        "image_size": side,
        "mean": norm,
        "std": norm,
        "logit_scale_note": f"logit_scale in the weights is exp(x) = {scale:.3f}; adherence uses the cosine alone: "
        "sigmoid(slope * cosine + offset)",
        "adherence": {"slope": round(slope, 4), "offset": round(offset, 4)},
    }
    (part / "calibration.json").write_text(json.dumps(notes, indent=2) + "\n")


def export_evaluator(folder: Path = EVALUATOR) -> None:
    """Write the judge."""
    from agents.pocket.train import evaluator

    part = _part(folder)
    judge.save(evaluator.load_trained(), part)
    _swap(part, folder, EVALUATOR_LIMIT)


def export_all() -> None:
    """Write everything that is trained."""
    export_model()
    export_scorer()
    export_evaluator()
    if not DEFAULTS.exists():
        export_defaults()
    for folder in (MODEL, SCORER, EVALUATOR):
        print(f"export: {folder.name} {size(folder) / 1e6:.2f} MB")
