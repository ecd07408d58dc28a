# pyright: reportUnknownMemberType=false
"""The kinds of pictures that the pocket model makes, each by a command to a workshop of five processes.

    python -m tests.generator.sheet

Writes `kinds.png` beside the README of the generator.
"""

import asyncio
import io
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.pocket.adapt.apply import surroundings
from agents.pocket.render import contact_sheet
from agents.shared.edges import canny
from agents.shared.picture import decode
from agents.shared.settings import Settings
from agents.shared.supervisor.supervise import run_workshop
from bus.client import Client
from bus.local_blobs import LocalBlobs
from protocol.commands import GenerateImages, Lora, Quality, Requirements, Result
from protocol.parameters import ControlNet, ImageSource, Placement, Reference, Region
from protocol.plans import GenerationPlan
from protocol.results import GenerationResult

FILE = Path(__file__).parents[2] / "agents" / "generator" / "kinds.png"
SUBJECTS = (
    ("car", "red", "white", "blue", "green"),
    ("house", "yellow", "teal", "magenta", "purple"),
    ("boat", "red", "blue", "green", "pink"),
)
"""Thing, colour, ground; the colour that it is made again in, and the ground that is painted around it."""

LEFT = 80
"""Pixels of the left part of a picture around which the rest is painted anew."""

Pixels = NDArray[np.uint8]


class Painter:
    """One client of a workshop. Every picture has the same seed."""

    def __init__(self, client: Client, blobs: LocalBlobs) -> None:
        self._client = client
        self._blobs = blobs

    async def paint(self, text: str, size: str = "128x128", **fields: object) -> tuple[str, Pixels]:
        """The picture of a finished prompt, and its id."""
        command = GenerateImages(
            prompts=[text],
            platform="pocket",
            seed=7,
            quality=Quality(min_score=0.0),
            requirements=Requirements(resolution=size),
            **fields,  # pyright: ignore[reportArgumentType]
        )
        plan = await self._client.request(command, timeout=30)
        assert isinstance(plan, GenerationPlan), plan
        assert plan.hash is not None, plan.generation_plan.refusal
        result = await self._client.request(Result(hash=plan.hash, wait_s=30), timeout=40)
        assert isinstance(result, GenerationResult), result
        [image] = result.generation_result.images
        assert image.path is not None, image.error
        return image.id, decode(Path(image.path).read_bytes()).rgb

    async def put(self, pixels: Pixels) -> ImageSource:
        """A picture in the blob store."""
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "png")
        return ImageSource(blob=await self._blobs.put(file.getvalue()))


async def row(painter: Painter, thing: str, colour: str, ground: str, other: str, around: str) -> dict[str, Pixels]:
    """Each kind of picture of a subject, by its caption."""
    text = f"a {colour} {thing} on a {ground} background"
    name, plain = await painter.paint(text)
    source = ImageSource(image_id=name)
    free = np.repeat(surroundings(Image.fromarray(plain))[..., None] * np.uint8(255), 3, 2)
    left = np.ascontiguousarray(plain[:, :LEFT])
    lines = np.repeat(canny(plain)[..., None] * np.uint8(255), 3, 2)
    edges = ControlNet(kind="canny", image=source)
    recoloured, inpainted = (
        f"a {other} {thing} on a {ground} background",
        f"a {colour} {thing} on a {around} background",
    )
    star = f"a {other} star on a {ground} background"
    halves = [Region(prompt=text, box=[0, 0, 0.5, 1]), Region(prompt=star, box=[0.5, 0, 0.5, 1])]
    like, look = await painter.paint(f"a {other} star on a {around} background, watercolour")
    reference = Reference(image=ImageSource(image_id=like), role="style")
    made = {
        f"{text}, neon sign (LoRA)": painter.paint(f"{text}, neon sign", loras=[Lora(name="neon")]),
        f"a <lime> {thing} (learned word)": painter.paint(f"a <lime> {thing} on a {ground} background"),
        f"regions: it, and a {other} star": painter.paint(f"a {ground} background", "192x128", regions=halves),
        f"img2img, strength 0.7: {other}": painter.paint(recoloured, init_image=source, strength=0.7),
        f"inpaint, its ground: {around}": painter.paint(inpainted, init_image=source, mask=await painter.put(free)),
        f"outpaint, from its left {LEFT} pixels on": painter.paint(
            text, init_image=await painter.put(left), placement=Placement(left=0)
        ),
        f"ControlNet along its edges: {other}": painter.paint(
            f"a {other} {thing} on a {around} background", controls=[edges]
        ),
        f"IP-Adapter: a {thing}, after the last": painter.paint(f"a {thing}", references=[reference]),
    }
    pictures = {caption: (await drawing)[1] for caption, drawing in made.items()}
    *others, (along, along_it), (after, after_it) = pictures.items()
    led = {"its edges": lines, along: along_it, f"a {other} star, watercolour": look, after: after_it}
    return {text: plain, **dict(others), **led}


def _square(pixels: Pixels) -> Pixels:
    """A picture whole, on white where it is wider than high."""
    side = max(pixels.shape[:2])
    above, before = ((side - length) // 2 for length in pixels.shape[:2])
    square = np.full((side, side, 3), 255, np.uint8)
    square[above : above + pixels.shape[0], before : before + pixels.shape[1]] = pixels
    return square


async def draw() -> None:
    """Make every picture and write the sheet."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), device="cpu")
        async with run_workshop(settings, lambda notice: None) as workshop, Client.open(workshop.client) as client:
            await workshop.wait_until_ready()
            painter = Painter(client, LocalBlobs(settings.blobs))
            rows = [await row(painter, *subject) for subject in SUBJECTS]
    cells = [cell for one in rows for cell in one.items()]
    sheet = contact_sheet([_square(pixels) for _, pixels in cells], [text for text, _ in cells], columns=len(rows[0]))
    sheet.save(FILE, optimize=True)


if __name__ == "__main__":
    asyncio.run(draw())
