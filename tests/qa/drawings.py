"""Pictures that the tests draw, and the messages about them."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from agents.shared.picture import Rgb
from protocol.messages import Job, Picture, Prompt, ScoreImage
from protocol.pixels import PixelSpec

SCALE = 4
TEAL, MAGENTA, YELLOW = (10, 140, 142), (222, 26, 150), (248, 212, 40)
Colour = tuple[int, int, int]


def flat(colour: Colour = TEAL, side: int = 128) -> Rgb:
    """One colour."""
    return np.full((side, side, 3), colour, np.uint8)


def disc(
    colour: Colour = MAGENTA,
    ground: Colour = TEAL,
    *,
    centre: tuple[float, float] = (0.5, 0.5),
    radius: float = 0.3,
    side: int = 128,
) -> Rgb:
    """An anti-aliased disc in flat colours; positions and radius as shares of the side."""
    big = side * SCALE
    image = Image.new("RGB", (big, big), ground)
    x, y, r = centre[0] * big, centre[1] * big, radius * big
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=colour)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def tower(colour: Colour = YELLOW, ground: Colour = TEAL, *, side: int = 128) -> Rgb:
    """An anti-aliased triangle on a post."""
    big = side * SCALE
    image = Image.new("RGB", (big, big), ground)
    pen = ImageDraw.Draw(image)
    pen.polygon([(0.5 * big, 0.1 * big), (0.8 * big, 0.5 * big), (0.2 * big, 0.5 * big)], fill=colour)
    pen.rectangle((0.42 * big, 0.5 * big, 0.58 * big, 0.9 * big), fill=colour)
    return np.asarray(image.resize((side, side), Image.Resampling.BOX))


def ball(gain: float = 1.0, side: int = 128) -> Rgb:
    """A lit grey ball before a darker wall: smooth tones, as in a photograph."""
    axis = (np.arange(side) + 0.5) / side * 2 - 1
    x, y = np.meshgrid(axis, axis)
    height = np.sqrt(np.maximum(0.5 - x * x - y * y, 0))
    light = np.where(height > 0, 0.25 + 0.7 * np.clip((height - 0.5 * x - 0.5 * y) / 1.2, 0, 1), 0.2 + 0.08 * (y + 1))
    grey = np.clip(light * gain * 255, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def blurred(rgb: Rgb, radius: float) -> Rgb:
    """The picture out of focus; `radius` is the Gaussian's sigma in pixels."""
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(radius)))


def static(side: int = 128, seed: int = 0) -> Rgb:
    """Every pixel at random."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def encoded(pixels: NDArray[Any], form: str = "PNG", quality: int = 75) -> bytes:
    """Pixels as a file."""
    out = BytesIO()
    Image.fromarray(pixels).save(out, form, quality=quality)
    return out.getvalue()


def order(
    blob: str,
    *,
    index: int = 0,
    attempt: int = 1,
    size: tuple[int, int] = (128, 128),
    min_score: float = 0.6,
    media_type: str = "image/png",
    prompt: Prompt | None = None,
) -> ScoreImage:
    """What a generator asks QA to judge."""
    words = prompt or Prompt(text="studio photo of a magenta disc, 8k", subject="a magenta disc")
    job = Job(
        pixels=PixelSpec(
            prompt=words.text,
            negative_prompt=words.negative,
            references=words.references,
            seed=index,
            width=size[0],
            height=size[1],
            steps=4,
            guidance=4.0,
            sampler="euler",
            model="pocket",
        ),
        hash="gen_batch_1",
        client_id="local",
        index=index,
        attempt=attempt,
        image_id=f"gen_batch_1_{index:06d}",
        prompt_origin=words.origin,
        platform="pocket",
        min_score=min_score,
    )
    picture = Picture(
        blob=blob,
        media_type=media_type,
        width=size[0],
        height=size[1],
        size_bytes=1,
        seconds=0.1,
        provider="local",
        model="pocket",
    )
    return ScoreImage(job=job, picture=picture)
