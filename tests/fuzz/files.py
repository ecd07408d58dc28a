"""Hostile files in this process, under the limits of the child that parses strangers' pictures."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any

from agents.doors.cli.records.databases import parse_manifest
from agents.generator.files import checkpoint_file, embedding_file, ip_adapter_file, lora_file, rrdb_file
from agents.generator.files.family_marks import UnsupportedFamily
from agents.generator.files.safetensors_header import ADAPTER_BOUNDS, UnsoundFile, inspect_opened
from agents.generator.library import models_toml
from agents.generator.registry import registry
from agents.planner.planning.command_texts import is_blank, read_catalogue_text
from agents.planner.planning.prompt_catalogue import prompt_of, requested_pose
from agents.prompt import style
from agents.shared.sandbox.child import limit_resources, parse
from agents.shared.text_file import decode_text
from agents.storage import png
from protocol.errors import BadCommand
from tests.fuzz import file_mutations as change
from tests.fuzz import file_samples as samples

Dice = random.Random
NOWHERE = Path("/nonexistent/models")
WANTED = ("size", "pixels", "sample", "brightest")


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of a file, and as which format it is read."""

    format: str
    data: bytes

    @property
    def description(self) -> str:
        return f"{self.format}, {len(self.data)} bytes"


def read_weights(data: bytes) -> str:
    """What `bottega models add` makes of a file of weights."""
    try:
        header = inspect_opened(BytesIO(data), len(data), ADAPTER_BOUNDS)
    except UnsoundFile as error:
        return error.fault
    said = "sound"
    for describe, refusal in DESCRIBERS:
        try:
            describe(header)
            said = describe.__module__.rpartition(".")[2]
        except (refusal, UnsupportedFamily):
            pass
    return said


DESCRIBERS: Sequence[tuple[Callable[[Any], object], type[ValueError]]] = (
    (lora_file.describe, lora_file.NotALora),
    (embedding_file.describe, embedding_file.NotAnEmbedding),
    (rrdb_file.describe, rrdb_file.NotAnUpscaler),
    (ip_adapter_file.describe, ip_adapter_file.NotAnIpAdapter),
    (checkpoint_file.describe, checkpoint_file.NotACheckpoint),
)


def read_picture(data: bytes) -> str:
    """What the child answers to a picture, and what a PNG says beside its pixels."""
    answer, _ = parse(data, WANTED[len(data) % len(WANTED)])
    if data.startswith(png.SIGNATURE):
        try:
            png.read_text(data)
            png.with_text(png.without_text(data), {"Title": "x"})
        except png.BrokenPng:
            pass
    return answer.fault or "decoded"


def read_toml(data: bytes) -> str:
    """What the registry makes of a person's models, the prompt agent of a style, and what a new entry does to it."""
    own = Path("/nonexistent/models.toml")
    said = "registry"
    try:
        registry.parse(data, own, NOWHERE, NOWHERE)
        models_toml.without_entry(data.decode(), "models.one")
        models_toml.with_entry(data.decode(), "loras.new", {"platform": "mine"})
    except registry.RegistryError:
        said = "refused"
    for parse_style in (partial(style.parse, kind=style.Style), partial(style.parse, kind=style.StyleReference)):
        try:
            parse_style(data, Path("one.toml"))
            said = "style"
        except style.StyleFileError:
            pass
    return said


def read_catalogue(data: bytes) -> str:
    """What a batch would make of a prompt file."""
    try:
        text = prompt_of(decode_text(data))
    except UnicodeDecodeError:
        return "not UTF-8"
    requested_pose(text)
    if is_blank(text):
        return "blank"
    try:
        read_catalogue_text(text[:4000], "a/b", {"nice": "<nice>"})
    except BadCommand as error:
        return error.code
    return "prompt"


def read_manifest(data: bytes) -> str:
    """What `bottega restore` makes of a manifest."""
    return "refused" if parse_manifest(data) is None else "manifest"


def _weights(dice: Dice) -> bytes:
    header = samples.header_of(dice.choice([*samples.WEIGHTS.values()]), samples.METADATA)
    if dice.random() < 0.4:
        del header["__metadata__"]
    return change.safetensors_file(header, dice)


def _lora(dice: Dice) -> bytes:
    shapes = [shapes for name, shapes in samples.WEIGHTS.items() if name.startswith("lora")]
    return change.safetensors_file(samples.header_of(dice.choice(shapes), samples.METADATA), dice)


def _picture(suffix: str, alter: Callable[[bytes, Dice], bytes], dice: Dice) -> bytes:
    return alter(dice.choice(samples.pictures(suffix)), dice)


FORMATS: Mapping[str, tuple[float, Callable[[Dice], bytes], Callable[[bytes], str]]] = {
    "safetensors": (14, _weights, read_weights),
    "lora": (14, _lora, read_weights),
    "png": (16, partial(_picture, ".png", change.png_file), read_picture),
    "jpeg": (15, partial(_picture, ".jpg", change.jpeg_file), read_picture),
    "webp": (15, partial(_picture, ".webp", change.webp_file), read_picture),
    "toml": (6, lambda dice: change.text_file(dice.choice(samples.toml_files()), dice), read_toml),
    "catalogue": (12, lambda dice: change.text_file(samples.CATALOGUE, dice)[:65_536], read_catalogue),
    "manifest": (8, lambda dice: change.json_file(samples.manifest(), dice), read_manifest),
}
"""Name -> (weight, a hostile file, who reads it)."""

_NAMES = (*FORMATS,)
_WEIGHTS = (*accumulate(weight for weight, *_ in FORMATS.values()),)


def hostile_file(dice: Dice, formats: Sequence[str] = ()) -> File:
    """A file of one of the formats, all of them where none is named."""
    name = dice.choice(formats) if formats else dice.choices(_NAMES, cum_weights=_WEIGHTS)[0]
    return File(name, FORMATS[name][1](dice))


class Files:
    """The suite of files."""

    name = "files"
    target = 1_000_000
    slice = 500
    short = 2

    def prepare(self) -> None:
        """Live as the child does: little memory, few files, nothing written. Only in a process of its own."""
        limit_resources()

    def end(self) -> None:
        """Nothing is held."""

    def inputs(self, dice: Dice) -> Iterator[File]:
        """The files of one slice."""
        return (hostile_file(dice) for _ in range(self.slice))

    def read(self, one: File, counts: Counter[str]) -> None:
        """Let the reader of its format read it.

        Raises:
            Exception: it is no refusal.
        """
        counts[f"{one.format}: {FORMATS[one.format][2](one.data)}"] += 1
