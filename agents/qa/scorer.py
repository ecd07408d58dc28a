# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""How well a picture shows a text: an image-text model in the transformers CLIP or SigLIP format, on one CPU thread.

Blocking: call it in a thread. torch and transformers are imported by `load`, because they take seconds.
"""

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PIL import Image

from agents.shared.picture import Rgb

MAX_TEXT_CHARS = 2000
"""Characters of a text that are looked at; the models cut at 77 tokens or fewer anyway."""


class AdherenceCurve(Struct, frozen=True):
    """adherence = sigmoid(slope · cosine + offset)."""

    slope: float
    offset: float


class Calibration(Struct, frozen=True):
    """`calibration.json` beside the weights: how a picture is prepared, and what a cosine means. Unknown keys are
    ignored. `image_size` is the side in pixels; pictures are resized to that square, then (x / 255 - mean) / std."""

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    adherence: AdherenceCurve


@dataclass(frozen=True)
class TextMatch:
    """`adherence` 0 to 1; `embedding` the picture's unit vector as little-endian float16."""

    adherence: float
    embedding: bytes


class ScorerBroken(RuntimeError):
    """The folder is not a scorer; the message says what is wrong and what belongs there."""


def is_installed(folder: Path) -> bool:
    """Whether the folder holds a scorer."""
    return (folder / "config.json").is_file() and (folder / "calibration.json").is_file()


class Scorer:
    """An image-text model in a folder. Thread-safe: one picture is judged at a time."""

    def __init__(self, folder: Path, calibration: Calibration | None = None) -> None:
        """`calibration` goes before that of the folder."""
        self._folder = folder
        self._own = calibration
        self._lock = threading.Lock()
        self._model: Any = None
        self._tokenizer: Any = None
        self._calibration: Calibration | None = None

    def load(self) -> Calibration:
        """Read the model, once.

        Only safetensors are read and no code from the folder is run. Sets this process's torch to one thread.

        Raises:
            ScorerBroken: a file is missing or does not fit.
        """
        with self._lock:
            if self._calibration is None:
                self._calibration = self._load()
            return self._calibration

    def _load(self) -> Calibration:
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging

        torch.set_num_threads(1)
        # Standard error carries one JSON object per line, so no progress bars there.
        logging.disable_progress_bar()
        try:
            calibration = self._own or _read_calibration(self._folder)
            self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            loaded: Any = AutoModel.from_pretrained(
                self._folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, SafetensorError, msgspec.MsgspecError) as error:
            raise self._broken_scorer(str(error)) from error
        model, report = loaded
        # transformers only warns of weights that are missing, and draws them at random.
        if report["missing_keys"] or report["mismatched_keys"]:
            raise self._broken_scorer("model.safetensors lacks weights that config.json asks for")
        if not hasattr(model, "get_image_features"):
            raise self._broken_scorer(f"{type(model).__name__} has no image and text towers")
        self._model = model.eval()
        return calibration

    def _broken_scorer(self, fault: str) -> ScorerBroken:
        return ScorerBroken(
            f"no usable scorer in {self._folder}: {fault}. It needs config.json, model.safetensors, tokenizer files "
            "and calibration.json (agents/qa/README.md, 'Another scorer')"
        )

    def match(self, rgb: Rgb, text: str) -> TextMatch:
        """How well the picture shows the text. Takes a few milliseconds with the pocket scorer.

        Raises:
            ScorerBroken: as `load`.
        """
        cosine, image = self.compare(rgb, text)
        curve = self.load().adherence
        return TextMatch(adherence=_sigmoid(curve.slope * cosine + curve.offset), embedding=image)

    def compare(self, rgb: Rgb, text: str) -> tuple[float, bytes]:
        """The cosine of a picture and a text, and the picture's embedding.

        Raises:
            ScorerBroken: as `load`.
        """
        calibration = self.load()
        pixels = prepare(rgb, calibration)
        import torch

        with self._lock, torch.inference_mode():
            # Padding to the full length is what SigLIP was trained with; CLIP is indifferent to it.
            tokens = self._tokenizer(
                [text[:MAX_TEXT_CHARS]], padding="max_length", truncation=True, return_tensors="pt"
            )
            out = self._model(**tokens, pixel_values=torch.from_numpy(pixels[None]))
            image, words = _normalise(out.image_embeds[0].numpy()), _normalise(out.text_embeds[0].numpy())
        return float(image @ words), image.astype("<f2").tobytes()


def _read_calibration(folder: Path) -> Calibration:
    return msgspec.json.decode((folder / "calibration.json").read_bytes(), type=Calibration)


def prepare(rgb: Rgb, calibration: Calibration) -> NDArray[np.float32]:
    """The model's view of a picture: the whole of it as a square, normalised, shape (3, side, side)."""
    side = calibration.image_size
    small = Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC)
    values = np.asarray(small, dtype=np.float32) / 255
    normal = (values - np.array(calibration.mean, np.float32)) / np.array(calibration.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)


def _normalise(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
